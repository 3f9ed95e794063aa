package swan

import (
	"context"
	"encoding/hex"
	"fmt"
	"path"
	"slices"
	"time"

	"github.com/strongswan/govici/vici"

	"github.com/ipseclab/ipseclab/interop/peerconf"
)

// Load has charon take a configuration in the place of the one that it has: connections that the new
// one does not have are unloaded, credentials replaced. SAs stay.
func (c *Client) Load(ctx context.Context, conf *Configuration) error {
	return c.session(ctx, answerTime+time.Duration(len(conf.Connections.Items))*time.Second, func(ctx context.Context, s *vici.Session) error {
		for _, step := range []func(context.Context, *vici.Session) error{conf.clear, conf.loadCredentials, conf.loadSecrets, conf.loadConnections} {
			if err := step(ctx, s); err != nil {
				return err
			}
		}
		return nil
	})
}

// clear takes away the credentials that charon has, what it remembers of certificates, and connections of other names.
func (o *Configuration) clear(ctx context.Context, s *vici.Session) error {
	for _, command := range []string{"clear-creds", "flush-certs"} {
		if _, err := ask(ctx, s, command, nil); err != nil {
			return err
		}
	}
	loaded, err := ask(ctx, s, "get-conns", nil)
	if err != nil {
		return err
	}
	for _, name := range (fields{loaded}).list("conns") {
		if slices.ContainsFunc(o.Connections.Items, func(i Item) bool { return i.(*Section).Name == name }) {
			continue
		}
		if _, err := ask(ctx, s, "unload-conn", message("name", name)); err != nil {
			return err
		}
	}
	return nil
}

func (o *Configuration) loadCredentials(ctx context.Context, s *vici.Session) error {
	load := func(command string, f File, keysAndValues ...any) error {
		if _, err := ask(ctx, s, command, message(append(keysAndValues, "data", string(f.Data))...)); err != nil {
			return fmt.Errorf("%s/%s: %w", f.Directory, f.Name, err)
		}
		return nil
	}
	for _, f := range o.files {
		kind, flag := "X509", "NONE"
		switch f.Directory {
		case "x509ca":
			flag = "CA"
		case "x509crl":
			kind = "X509_CRL"
		}
		if err := load("load-cert", f, "type", kind, "flag", flag); err != nil {
			return err
		}
	}
	for _, f := range o.keys {
		if err := load("load-key", f, "type", "rsa"); err != nil {
			return err
		}
	}
	return nil
}

func (o *Configuration) loadSecrets(ctx context.Context, s *vici.Session) error {
	for _, secret := range o.secrets {
		m := message("id", secret.Name, "type", "IKE", "data", string(secret.Value), "owners", owners(secret))
		if _, err := ask(ctx, s, "load-shared", m); err != nil {
			return fmt.Errorf("the preshared key %s: %w", secret.Name, err)
		}
	}
	return nil
}

// owners are those with whom a key is used; none: everybody.
func owners(s peerconf.Secret) []string {
	all := []string{}
	for _, p := range s.Peers {
		if p.IsSingleIP() {
			all = append(all, p.Addr().String())
		} else {
			all = append(all, p.String())
		}
	}
	return all
}

func (o *Configuration) loadConnections(ctx context.Context, s *vici.Session) error {
	for _, i := range o.Connections.Items {
		one := &Section{Items: []Item{i}}
		m, err := one.Message()
		if err != nil {
			return err
		}
		if _, err := ask(ctx, s, "load-conn", m); err != nil {
			return fmt.Errorf("connection %s: %w", i.(*Section).Name, err)
		}
	}
	return nil
}

// message makes a message of keys and values in turns.
func message(keysAndValues ...any) *vici.Message {
	m := vici.NewMessage()
	for i := 0; i+1 < len(keysAndValues); i += 2 {
		if err := m.Set(keysAndValues[i].(string), keysAndValues[i+1]); err != nil {
			panic(err) // a kind of value that this package does not write
		}
	}
	return m
}

// Tree is swanctl.conf.
func (o *Configuration) Tree() *Section {
	root := &Section{}
	root.Items = append(root.Items, o.Connections)
	secrets := root.section("secrets")
	for _, s := range o.secrets {
		one := secrets.section("ike-" + s.Name)
		for i, id := range owners(s) {
			one.set(fmt.Sprintf("id-%d", i+1), "%s", id)
		}
		one.set("secret", "%s", secretText(s.Value))
	}
	return root
}

// secretText is a key as swanctl.conf has it: in hexadecimal where text could be read otherwise.
func secretText(key []byte) string {
	if !printable(key) || len(key) > 1 && key[0] == '0' && (key[1] == 'x' || key[1] == 's') {
		return "0x" + hex.EncodeToString(key)
	}
	return string(key)
}

// Files are swanctl.conf and what it needs beside it, by their names below the directory of swanctl.
func (o *Configuration) Files() map[string][]byte {
	all := map[string][]byte{"swanctl.conf": []byte(o.Tree().Text())}
	for _, f := range slices.Concat(o.files, o.keys) {
		all[path.Join(f.Directory, f.Name)] = f.Data
	}
	return all
}
