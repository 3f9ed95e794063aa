// Package swan configures and asks strongSwan: it writes a neutral configuration
// ([github.com/ipseclab/ipseclab/interop/peerconf]) in strongSwan's words, and talks to charon over vici.
//
//	configuration, err := swan.Build(config, swan.Native)
//	client := swan.NewClient(dial)
//	err = client.Load(ctx, configuration)
//	err = client.Initiate(ctx, "to-10-0-0-2", "esp", 15*time.Second)
//	sas, err := client.ListSAs(ctx)
//
// The same configuration can be written to files ([Configuration.Files]), which swanctl --load-all
// reads; [Daemon] writes strongswan.conf.
//
// Answers of a daemon are read with care: what is missing or no number is left at its zero value, and
// a message that is too long ends the call.
package swan
