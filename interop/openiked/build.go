// Package openiked writes a neutral configuration of a peer
// ([github.com/ipseclab/ipseclab/interop/peerconf]) as iked.conf of OpenIKED. It has IKEv2 alone, so that it is the
// peer that IKEv1 gets no answer from.
package openiked

import (
	"encoding/hex"
	"fmt"
	"net/netip"
	"strings"
	"time"

	"github.com/ipseclab/ipseclab/ike"
	"github.com/ipseclab/ipseclab/ike/payload"
	"github.com/ipseclab/ipseclab/internal/ipsec"
	"github.com/ipseclab/ipseclab/interop/peerconf"
)

// The words of iked.conf(5) for names of package suite.
var (
	ciphers = map[string]string{
		"null": "null", "3des-cbc": "3des", "aes128-cbc": "aes-128", "aes192-cbc": "aes-192", "aes256-cbc": "aes-256",
		"aes128-ctr": "aes-128-ctr", "aes192-ctr": "aes-192-ctr", "aes256-ctr": "aes-256-ctr",
		"aes128-gcm16": "aes-128-gcm", "aes192-gcm16": "aes-192-gcm", "aes256-gcm16": "aes-256-gcm",
		"chacha20-poly1305": "chacha20-poly1305",
	}
	auths = map[string]string{
		"hmac-md5-96": "hmac-md5", "hmac-sha1-96": "hmac-sha1", "hmac-sha256-128": "hmac-sha2-256", "hmac-sha384-192": "hmac-sha2-384",
		"hmac-sha512-256": "hmac-sha2-512",
	}
	hashes = map[string]string{"md5": "hmac-md5", "sha1": "hmac-sha1", "sha256": "hmac-sha2-256", "sha384": "hmac-sha2-384", "sha512": "hmac-sha2-512"}
	groups = map[uint16]string{
		1: "modp768", 2: "modp1024", 5: "modp1536", 14: "modp2048", 15: "modp3072", 16: "modp4096", 17: "modp6144", 18: "modp8192",
	}
)

func unsupported(what, why string) error { return &peerconf.Unsupported{What: what, Why: why} }

func word[K comparable](table map[K]string, key K) (string, error) {
	w, ok := table[key]
	if !ok {
		return "", unsupported(fmt.Sprint(key), "iked.conf has no word for it")
	}
	return w, nil
}

// Build is iked.conf. Errors are of type *peerconf.Unsupported.
func Build(c *peerconf.Config) (string, error) {
	if len(c.Shunts) > 0 {
		return "", unsupported("rule "+c.Shunts[0].Name+", which passes or blocks", "iked.conf has no policies without an SA")
	}
	var b strings.Builder
	b.WriteString("set passive\nset nomobike\nset nofragmentation\n")
	if c.Settings.Fragmentation == peerconf.FragmentsOn {
		b.Reset()
		b.WriteString("set passive\nset nomobike\nset fragmentation\n")
	}
	for i := range c.Connections {
		conn := &c.Connections[i]
		for j := range conn.Children {
			line, err := child(conn, &conn.Children[j])
			if err != nil {
				return "", err
			}
			b.WriteString(line)
		}
	}
	return b.String(), nil
}

// child is a policy, on one line as iked.conf wants it, which backslashes break.
func child(conn *peerconf.Connection, c *peerconf.Child) (string, error) {
	switch {
	case conn.Version != 2:
		return "", unsupported("IKEv1", "OpenIKED has IKEv2 alone")
	case conn.Auth.Method != ike.PreSharedKey:
		return "", unsupported("authentication by certificates", "the certificates of iked are not written")
	case !conn.Remote.IsValid():
		return "", unsupported("rule "+c.Name+", for whoever comes", "a preshared key of iked is for peers that it names")
	}
	words := []string{"ikev2", quote(c.Name), "passive", c.Mode.String(), strings.ToLower(c.Protocol().String())}
	if c.Proto != ipsec.ProtoAny {
		words = append(words, "proto", fmt.Sprint(c.Proto))
	}
	words = append(words, "from", end(conn.Local, c.Local, c.IPv6), "to", end(conn.Remote.Addr(), c.Remote, c.IPv6))
	if conn.Local.IsValid() {
		words = append(words, "local", conn.Local.String())
	}
	words = append(words, "peer", peers(conn.Remote))
	for _, p := range conn.Proposals {
		w, err := ikeProposal(p)
		if err != nil {
			return "", err
		}
		words = append(words, w)
	}
	for _, p := range c.Proposals {
		w, err := childProposal(p.Transforms[0], c.PFSGroup)
		if err != nil {
			return "", err
		}
		words = append(words, w)
	}
	id, err := identity(conn.Auth.Identity)
	if err != nil {
		return "", err
	}
	if id != "" {
		words = append(words, "srcid", id)
	}
	words = append(words, "ikelifetime", seconds(conn.Lifetime), "lifetime", seconds(c.Lifetime.Duration))
	if c.Lifetime.Kilobytes > 0 {
		words = append(words, "bytes", fmt.Sprint(c.Lifetime.Kilobytes*1024))
	}
	words = append(words, "psk", "0x"+hex.EncodeToString(conn.Auth.Secret))
	return strings.Join(words, " ") + "\n", nil
}

func quote(s string) string { return `"` + s + `"` }

func end(outer netip.Addr, s peerconf.Selector, v6 bool) string {
	text := s.Addresses(v6).String()
	if s.Endpoint && outer.IsValid() {
		text = outer.String()
	}
	if s.Port != 0 {
		text += fmt.Sprintf(" port %d", s.Port)
	}
	return text
}

func peers(p netip.Prefix) string {
	if p.IsSingleIP() {
		return p.Addr().String()
	}
	return p.String()
}

func seconds(d time.Duration) string { return fmt.Sprint(int64((d + time.Second - 1) / time.Second)) }

func ikeProposal(p ike.MainModeProposal) (string, error) {
	cipher, err := word(ciphers, p.Cipher)
	if err != nil {
		return "", err
	}
	hash, err := word(hashes, p.Hash)
	if err != nil {
		return "", err
	}
	group, err := word(groups, p.Group)
	if err != nil {
		return "", err
	}
	return fmt.Sprintf("ikesa enc %s prf %s auth %s group %s", cipher, hash, hash, group), nil
}

func childProposal(t ipsec.Transform, group uint16) (string, error) {
	words := []string{"childsa"}
	if t.Protocol == ipsec.ESP {
		w, err := word(ciphers, t.Cipher)
		if err != nil {
			return "", err
		}
		words = append(words, "enc", w)
	}
	if t.Auth != "" {
		w, err := word(auths, t.Auth)
		if err != nil {
			return "", err
		}
		words = append(words, "auth", w)
	}
	if group != 0 {
		w, err := word(groups, group)
		if err != nil {
			return "", err
		}
		words = append(words, "group", w)
	}
	if t.ESN {
		return strings.Join(append(words, "esn"), " "), nil
	}
	return strings.Join(append(words, "noesn"), " "), nil
}

// identity is one whose type iked guesses from its form.
func identity(id ike.Identity) (string, error) {
	switch id.Type {
	case 0:
		return "", nil
	case payload.IDFQDN, payload.IDUserFQDN:
		return quote(string(id.Data)), nil
	case payload.IDIPv4, payload.IDIPv6:
		if a, ok := netip.AddrFromSlice(id.Data); ok {
			return a.String(), nil
		}
	}
	return "", unsupported(fmt.Sprintf("an identity of type %v", id.Type), "iked.conf has no form for it")
}
