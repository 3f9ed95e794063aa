package peerconf_test

import (
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ipseclab/ipseclab/ike"
	"github.com/ipseclab/ipseclab/internal/ipsec"
	"github.com/ipseclab/ipseclab/interop/peerconf"
	"github.com/ipseclab/ipseclab/interop/peerconf/sample"
	"github.com/ipseclab/ipseclab/scenarios/spec"
)

func TestBuild(t *testing.T) {
	for _, c := range sample.Cases() {
		t.Run(c.Name, func(t *testing.T) {
			config, err := peerconf.Build(c.Host)
			if c.Why == "" {
				require.NoError(t, err)
				require.NotNil(t, config)
				return
			}
			require.Error(t, err)
			var unsupported *peerconf.Unsupported
			require.ErrorAs(t, err, &unsupported)
			require.NotEmpty(t, unsupported.Why)
			require.True(t, strings.HasPrefix(err.Error(), "unsupported: "+c.Why), "%v", err)
		})
	}
}

func build(t *testing.T, name string) *peerconf.Config {
	for _, c := range sample.Cases() {
		if c.Name == name {
			config, err := peerconf.Build(c.Host)
			require.NoError(t, err)
			return config
		}
	}
	t.Fatalf("no sample is called %s", name)
	return nil
}

// Who sends a packet finds the child that it belongs to.
func TestFind(t *testing.T) {
	config := build(t, "subnet-and-host")
	flow := func(dst string) ipsec.Flow {
		return ipsec.Flow{Src: sample.Own, Dst: netip.MustParseAddr(dst), Proto: ipsec.ProtoTCP, SrcPort: 1024, DstPort: 80}
	}
	for dst, want := range map[string]string{"10.0.0.2": "to-10-0-0-2/server", "10.0.0.9": "to-10-0-0-0-24/subnet", "10.9.0.1": ""} {
		connection, child, ok := config.Find(flow(dst))
		require.Equal(t, want != "", ok, dst)
		if ok {
			require.Equal(t, want, connection+"/"+child, dst)
		}
	}
	connection, child, ok := build(t, "psk-esp-tunnel").Find(ipsec.Flow{Src: sample.Inner, Dst: sample.Beyond, Proto: ipsec.ProtoICMP})
	require.True(t, ok)
	require.Equal(t, "to-10-0-0-2/outwards", connection+"/"+child)
}

// What the neutral model says where golden files of daemons would say it in their words.
func TestModel(t *testing.T) {
	config := build(t, "two-keys")
	require.Len(t, config.Secrets, 2)
	require.Equal(t, []netip.Prefix{ipsec.Host(sample.Peer)}, config.Secrets[0].Peers)
	require.Equal(t, []netip.Prefix{ipsec.Host(sample.Other)}, config.Secrets[1].Peers)
	require.Nil(t, build(t, "psk-esp-transport").Secrets[0].Peers, "a key that is the only one is for everybody")

	config = build(t, "subnet-and-host")
	require.Equal(t, []peerconf.Start{peerconf.Trap, peerconf.Answer}, starts(config.Connections[0]), "the wider connection's child is there to be answered")
	require.Equal(t, []peerconf.Start{peerconf.Trap}, starts(config.Connections[1]))

	config = build(t, "psk-or-rsa")
	require.Len(t, config.Connections, 2)
	require.Equal(t, []peerconf.Start{peerconf.Trap}, starts(config.Connections[0]))
	require.Equal(t, []peerconf.Start{peerconf.Answer}, starts(config.Connections[1]), "one of them starts")

	config = build(t, "rsa-strict-by-address")
	require.True(t, config.Credentials.Strict)
	require.Equal(t, ike.AddressIdentity(sample.Own), config.Connections[0].Auth.Identity)

	require.Equal(t, uint16(2), build(t, "pfs").Connections[0].Children[0].PFSGroup)
	require.Empty(t, build(t, "none").Connections)
}

func starts(c peerconf.Connection) (all []peerconf.Start) {
	for _, ch := range c.Children {
		all = append(all, ch.Start)
	}
	return all
}

func TestSettingsOf(t *testing.T) {
	settings, ignored, err := peerconf.SettingsOf(nil)
	require.NoError(t, err)
	require.Empty(t, ignored)
	require.Equal(t, peerconf.Settings{}, settings)

	keepAlive := spec.Duration(0)
	settings, ignored, err = peerconf.SettingsOf(&spec.IPsec{
		Fragmentation: &spec.Fragmentation{Form: "none", Size: 600}, DPD: &spec.DPD{Idle: spec.Duration(10 * time.Second)}, NoMainModeRekey: true,
		Rekey: &spec.Rekey{Margin: spec.Duration(time.Minute)}, ReplayWindow: 64, SilentResponder: true, SAIdleTime: spec.Duration(time.Hour),
		Retransmit: []spec.Duration{spec.Duration(time.Second)}, Traversal: spec.Traversal{KeepAlive: &keepAlive, Force: true},
		Startup: spec.Startup{BootMode: "permit"},
	})
	require.NoError(t, err)
	require.Equal(t, []string{"boot-mode", "silent-responder"}, ignored)
	require.Equal(t, peerconf.Settings{
		Fragmentation: peerconf.FragmentsOff, FragmentSize: 600, DPD: &peerconf.DPD{Idle: 10 * time.Second, Timeout: 20 * time.Second}, NoMainModeRekey: true,
		Margin: time.Minute, ReplayWindow: 64, Inactivity: time.Hour, Retransmit: []time.Duration{time.Second}, KeepAlive: -1, Encapsulate: true,
	}, settings)

	for name, s := range map[string]spec.IPsec{
		"commit": {Commit: true}, "no-ike": {NoIKE: true}, "vendor-ids": {VendorIDs: []string{"00"}}, "new-group-mode": {NewGroupMode: &spec.NewGroupMode{}},
		"nat-traversal: off":               {Traversal: spec.Traversal{Dialects: spec.Dialects{"off"}}},
		"ike-fragmentation.without-header": {Fragmentation: &spec.Fragmentation{WithoutHeader: true}},
	} {
		_, _, err := peerconf.SettingsOf(&s)
		require.ErrorContains(t, err, "unsupported: ipsec."+name+": ")
	}
}

func TestMargin(t *testing.T) {
	for _, c := range []struct{ margin, lifetime, want time.Duration }{
		{0, time.Hour, 6 * time.Minute}, {time.Minute, time.Hour, time.Minute}, {time.Hour, time.Minute, 30 * time.Second}, {0, 5 * time.Second, time.Second}, {0, time.Second, 500 * time.Millisecond},
	} {
		s := peerconf.Settings{Margin: c.margin}
		require.Equal(t, c.want, s.MarginOf(c.lifetime))
	}
}
