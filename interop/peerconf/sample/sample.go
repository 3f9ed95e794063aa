// Package sample has policies of all kinds, for tests of what writes them down for real peers.
package sample

import (
	"math/rand/v2"
	"net/netip"
	"sync"
	"time"

	"github.com/ipseclab/ipseclab/hosts"
	"github.com/ipseclab/ipseclab/hosts/policy"
	"github.com/ipseclab/ipseclab/ike"
	"github.com/ipseclab/ipseclab/ike/payload"
	"github.com/ipseclab/ipseclab/internal/ipsec"
	"github.com/ipseclab/ipseclab/internal/pki"
	"github.com/ipseclab/ipseclab/interop/peerconf"
)

// Case is a host with a policy.
type Case struct {
	Name string
	Host peerconf.Host
	Why  string // the beginning of the error of peerconf.Build, without "unsupported: "; "": there is none
}

// Addresses of the samples.
var (
	Own    = netip.MustParseAddr("10.0.0.1")
	Peer   = netip.MustParseAddr("10.0.0.2")
	Other  = netip.MustParseAddr("10.0.0.3")
	Inner  = netip.MustParseAddr("10.1.0.1") // of Own, as a gateway
	Beyond = netip.MustParseAddr("10.2.0.1") // of Peer, likewise
	Own6   = netip.MustParseAddr("2001:db8::1")
	subnet = netip.MustParsePrefix("10.0.0.0/24")
	inside = netip.MustParsePrefix("10.1.0.0/24")
	beyond = netip.MustParsePrefix("10.2.0.0/24")
)

// Rule is a rule that protects by a preshared key and some methods.
func Rule(name string, filters []policy.Filter, methods ...string) policy.Rule {
	r := policy.Rule{
		Name: name, Filters: policy.FilterList{Name: name, Filters: filters}, Auth: []policy.AuthMethod{{PreSharedKey: "Windows2003!"}},
		Action: policy.FilterAction{Name: name, Kind: policy.Negotiate},
	}
	for _, m := range methods {
		p, err := policy.ParseSecurityMethod(m)
		must(err)
		r.Action.Methods = append(r.Action.Methods, p)
	}
	return r
}

// Mirrored is a filter for both directions.
func Mirrored(src, dst policy.Address, proto uint8, srcPort, dstPort uint16) policy.Filter {
	return policy.Filter{Source: src, Destination: dst, Protocol: proto, SourcePort: srcPort, DestinationPort: dstPort, Mirrored: true}
}

func to(dst policy.Address) []policy.Filter {
	return []policy.Filter{Mirrored(policy.Me(), dst, 0, 0, 0)}
}

func toPeer() []policy.Filter { return to(policy.Host(Peer)) }

// host is a host whose policy has these rules.
func host(rules ...policy.Rule) peerconf.Host {
	return peerconf.Host{
		Policy: &policy.Policy{
			Name:     "lab",
			MainMode: policy.MainMode{Proposals: []ike.MainModeProposal{{Cipher: "3des-cbc", Hash: "sha1", Group: 2}}},
			Rules:    rules,
		},
		Addresses: []netip.Addr{Own},
	}
}

func act(name string, kind policy.Kind, filters ...policy.Filter) policy.Rule {
	return policy.Rule{Name: name, Filters: policy.FilterList{Name: name, Filters: filters}, Action: policy.FilterAction{Name: name, Kind: kind}}
}

// tunnel is the two rules of a tunnel between the networks behind two gateways.
func tunnel(methods ...string) []policy.Rule { return tunnelOf(Own, Peer, inside, beyond, methods) }

func tunnelOf(own, peer netip.Addr, inside, beyond netip.Prefix, methods []string) []policy.Rule {
	out := Rule("outwards", []policy.Filter{{Source: policy.Subnet(inside), Destination: policy.Subnet(beyond)}}, methods...)
	in := Rule("inwards", []policy.Filter{{Source: policy.Subnet(beyond), Destination: policy.Subnet(inside)}}, methods...)
	out.Tunnel, in.Tunnel = peer, own
	return []policy.Rule{out, in}
}

// gateway is a host at the end of a tunnel.
func gateway(rules ...policy.Rule) peerconf.Host {
	return with(host(rules...), func(h *peerconf.Host) { h.Addresses = append(h.Addresses, Inner) })
}

// Gateways are the two ends of a tunnel, Own before the network of Inner and Peer before that of Beyond. Their child is
// called outwards, their connections by the address of the other.
func Gateways(methods ...string) (own, peer peerconf.Host) {
	own = gateway(tunnel(methods...)...)
	peer = host(tunnelOf(Peer, Own, beyond, inside, methods)...)
	peer.Addresses = []netip.Addr{Peer, Beyond}
	return own, peer
}

// with changes a host.
func with(h peerconf.Host, change func(*peerconf.Host)) peerconf.Host {
	change(&h)
	return h
}

// ruleWith changes a rule.
func ruleWith(r policy.Rule, change func(*policy.Rule)) policy.Rule {
	change(&r)
	return r
}

// Stores are the certificates of some hosts, by name and address: a root, one authority below it, and for each
// host a certificate of that.
func Stores(names []string, addresses []netip.Addr) (all []*hosts.Certificates) {
	var seed [32]byte
	random := rand.NewChaCha8(seed)
	from, until := time.Date(2020, 1, 1, 0, 0, 0, 0, time.UTC), time.Date(2100, 1, 1, 0, 0, 0, 0, time.UTC)
	template := func(name string) pki.Template {
		n, err := pki.ParseName("CN=" + name + ",O=Lab")
		must(err)
		return pki.Template{Subject: n, NotBefore: from, NotAfter: until, Hash: "sha256"}
	}
	key := func() pki.PrivateKey {
		k, err := pki.GenerateKey(random, "rsa-2048")
		must(err)
		return k
	}
	root, err := pki.NewRoot(random, template("Lab Root"), key())
	must(err)
	below, err := root.NewAuthority(random, template("Lab Issuing"), key())
	must(err)
	list := pki.ListTemplate{Number: 1, ThisUpdate: from, NextUpdate: until, Hash: "sha256"}
	ofRoot, err := root.IssueList(list)
	must(err)
	ofBelow, err := below.IssueList(list)
	must(err)
	for i, name := range names {
		own, t := key(), template(name)
		t.AltNames = pki.AltNames{DNS: []string{name}, IP: addresses[i : i+1]}
		certificate, err := below.Issue(random, t, own.Public())
		must(err)
		c := &hosts.Certificates{CRLCheck: pki.CRLIfRevoked}
		c.Store = pki.Store{
			Roots: []*pki.Certificate{root.Certificate}, Intermediates: []*pki.Certificate{below.Certificate},
			Own: []pki.Own{{Certificate: certificate, Key: own}}, Lists: []*pki.RevocationList{ofRoot, ofBelow},
		}
		all = append(all, c)
	}
	return all
}

func must(err error) {
	if err != nil {
		panic(err) // a slip in this package
	}
}

// ByCertificate has a host's rules authenticate by the certificates of a store.
func ByCertificate(h *peerconf.Host, store *hosts.Certificates) {
	h.Certificates = store
	for i := range h.Policy.Rules {
		h.Policy.Rules[i].Auth = byCertificate
	}
}

var byCertificate = []policy.AuthMethod{{RootCA: "CN=Lab Root,O=Lab"}}

// ownStore is made once: keys take a moment.
var ownStore = sync.OnceValue(func() *hosts.Certificates { return Stores([]string{"alice.lab.example"}, []netip.Addr{Own})[0] })

// Cases are all of them, made anew but for their certificates.
func Cases() []Case {
	store := ownStore()
	certificates := func(h *peerconf.Host) { h.Certificates = store }
	web := []policy.Filter{Mirrored(policy.Me(), policy.Host(Peer), ipsec.ProtoTCP, 0, 80), Mirrored(policy.Me(), policy.Host(Peer), ipsec.ProtoUDP, 1701, 1701)}
	subnets := to(policy.Subnet(subnet))
	return append([]Case{
		{Name: "none", Host: peerconf.Host{Addresses: []netip.Addr{Own}}},
		{Name: "psk-esp-transport", Host: host(Rule("all", toPeer(), "ESP[3DES,SHA1]", "ESP[DES,MD5]"))},
		{Name: "psk-ah-transport", Host: host(Rule("all", toPeer(), "AH[SHA1]", "AH[MD5]"))},
		{Name: "psk-esp-tunnel", Host: gateway(tunnel("ESP[3DES,SHA1]:100000k/900s")...)},
		{Name: "psk-ah-tunnel", Host: gateway(tunnel("AH[SHA256]:0k/3600s")...)},
		{Name: "ports", Host: host(Rule("Web & L2TP", web, "ESP[AES128,SHA256]"))},
		{Name: "pfs", Host: host(ruleWith(Rule("all", toPeer(), "ESP[3DES,SHA1]"), func(r *policy.Rule) { r.Action.PFS = true }))},
		{Name: "aggressive", Host: with(host(Rule("all", toPeer(), "ESP[3DES,SHA1]")), func(h *peerconf.Host) {
			h.Options.AggressiveMode = true
			h.Options.Identity = ike.Identity{Type: payload.IDKeyID, Data: []byte("lab group")}
		})},
		{Name: "identity", Host: with(host(Rule("all", toPeer(), "ESP[3DES,SHA1]")), func(h *peerconf.Host) {
			h.Options.Identity = ike.Identity{Type: payload.IDFQDN, Data: []byte("alice.lab.example")}
		})},
		{Name: "rsa", Host: with(host(ruleWith(Rule("all", toPeer(), "ESP[AES256,SHA512]"), func(r *policy.Rule) { r.Auth = byCertificate })), certificates)},
		{Name: "rsa-strict-by-address", Host: with(host(ruleWith(Rule("all", toPeer(), "ESP[AES256,SHA512]"), func(r *policy.Rule) { r.Auth = byCertificate })), func(h *peerconf.Host) {
			c := *store
			c.CRLCheck, c.Identity = pki.CRLStrict, hosts.AddressIdentity
			h.Certificates = &c
		})},
		{Name: "psk-or-rsa", Host: with(host(ruleWith(Rule("all", toPeer(), "ESP[3DES,SHA1]"), func(r *policy.Rule) {
			r.Auth = append(r.Auth, byCertificate...)
		})), certificates)},
		{Name: "any-peer", Host: host(Rule("everything", to(policy.Any()), "ESP[3DES,SHA1]"))},
		{Name: "any-to-any", Host: host(Rule("http", []policy.Filter{Mirrored(policy.Any(), policy.Any(), ipsec.ProtoTCP, 0, 80)}, "ESP[None,SHA1]"))},
		{Name: "permit-block", Host: host(
			Rule("everything", to(policy.Any()), "ESP[3DES,SHA1]"),
			act("ping", policy.Permit, Mirrored(policy.Me(), policy.Any(), ipsec.ProtoICMP, 0, 0)),
			act("telnet", policy.Block, Mirrored(policy.Any(), policy.Me(), ipsec.ProtoTCP, 0, 23)),
			act("router", policy.Permit, to(policy.Host(netip.MustParseAddr("10.0.0.254")))...),
		)},
		{Name: "block-behind", Host: host(
			Rule("web", []policy.Filter{Mirrored(policy.Me(), policy.Host(Peer), ipsec.ProtoTCP, 0, 80)}, "ESP[3DES,SHA1]"),
			act("nothing else", policy.Block, to(policy.Any())...),
		)},
		{Name: "subnet-and-host", Host: host(
			Rule("subnet", subnets, "ESP[3DES,SHA1]"),
			Rule("server", toPeer(), "AH[SHA1]"),
		)},
		{Name: "two-keys", Host: host(
			Rule("one", toPeer(), "ESP[3DES,SHA1]"),
			ruleWith(Rule("two", to(policy.Host(Other)), "ESP[3DES,SHA1]"), func(r *policy.Rule) { r.Auth = []policy.AuthMethod{{PreSharedKey: "0x with \"quotes\""}} }),
		)},
		{Name: "default-response", Host: with(host(), func(h *peerconf.Host) {
			h.Policy.DefaultResponse = &policy.DefaultResponse{Auth: []policy.AuthMethod{{PreSharedKey: "answer"}}}
		})},
		{Name: "ipv6", Host: with(host(Rule("everything", to(policy.Any()), "ESP[AES128-GCM,ESN]", "ESP[AES256-CTR,AES128-XCBC,ESN]")), func(h *peerconf.Host) {
			h.Addresses = []netip.Addr{Own, Own6}
		})},
		{Name: "exemptions", Host: with(host(Rule("everything", to(policy.Any()), "ESP[3DES,SHA1]")), func(h *peerconf.Host) {
			h.Options.Exempt, _ = policy.NoDefaultExempt(0)
			h.Options.Broadcasts = policy.Broadcasts(netip.PrefixFrom(Own, 24))
		})},
		{Name: "settings", Host: with(host(Rule("all", toPeer(), "ESP[3DES,SHA1]:0k/600s")), func(h *peerconf.Host) {
			h.Policy.MainMode.Lifetime = time.Hour
			h.Settings = peerconf.Settings{
				Fragmentation: peerconf.FragmentsOff, DPD: &peerconf.DPD{Idle: 10 * time.Second, Timeout: 20 * time.Second}, Encapsulate: true,
				Margin: 90 * time.Second, NoMainModeRekey: true, Inactivity: 5 * time.Minute, ReplayWindow: 128,
				Retransmit: []time.Duration{time.Second, 2 * time.Second, 4 * time.Second, 8 * time.Second}, KeepAlive: 10 * time.Second,
			}
		})},
		{Name: "ikev2", Host: with(gateway(tunnel("ESP[AES128,SHA256]")...), func(h *peerconf.Host) { h.Version = 2 })},
	}, refused(store)...)
}

// refused are policies that no daemon has.
func refused(store *hosts.Certificates) []Case {
	all := func(change func(*policy.Rule)) peerconf.Host {
		return with(host(ruleWith(Rule("all", toPeer(), "ESP[3DES,SHA1]"), change)), func(h *peerconf.Host) { h.Certificates = store })
	}
	return []Case{
		{Name: "bundle", Why: "rule lab/all has AH and ESP together", Host: host(Rule("all", toPeer(), "AH[SHA1]+ESP[3DES,None]"))},
		{Name: "ah-or-esp", Why: "rule lab/all takes AH or ESP", Host: host(Rule("all", toPeer(), "AH[SHA1]", "ESP[3DES,SHA1]"))},
		{Name: "lifetimes", Why: "rule lab/all has security methods of several lifetimes", Host: host(Rule("all", toPeer(), "ESP[3DES,SHA1]:0k/600s", "ESP[3DES,MD5]:0k/900s"))},
		{Name: "soft", Why: "rule lab/all falls back to clear", Host: all(func(r *policy.Rule) { r.Action.Soft = true })},
		{Name: "inpass", Why: "rule lab/all accepts unsecured communication", Host: all(func(r *policy.Rule) { r.Action.InPass = true })},
		{Name: "one-way", Why: "rule lab/all, for what is sent alone", Host: all(func(r *policy.Rule) { r.Filters.Filters[0].Mirrored = false })},
		{Name: "one-way-in", Why: "rule lab/all, for what arrives alone", Host: all(func(r *policy.Rule) {
			r.Filters.Filters[0] = policy.Filter{Source: policy.Host(Peer), Destination: policy.Me()}
		})},
		{Name: "kerberos", Why: "rule lab/all authenticates by Kerberos", Host: all(func(r *policy.Rule) { r.Auth = nil })},
		{Name: "public-key-encryption", Why: "rule lab/all authenticates by Encryption with RSA", Host: all(func(r *policy.Rule) {
			r.Auth = []policy.AuthMethod{{RootCA: "CN=Lab Root,O=Lab", By: ike.RSAEncryption}}
		})},
		{Name: "mapped", Why: "rule lab/all maps certificates to accounts", Host: all(func(r *policy.Rule) {
			r.Auth = []policy.AuthMethod{{RootCA: "CN=Lab Root,O=Lab", CertMapping: true}}
		})},
		{Name: "no-root", Why: "rule lab/all: the store of the peer has none of its authorities", Host: all(func(r *policy.Rule) {
			r.Auth = []policy.AuthMethod{{RootCA: "CN=Elsewhere"}}
		})},
		{Name: "xauth", Why: "rule lab/all asks for a user (XAUTH)", Host: all(func(r *policy.Rule) {
			r.Auth[0].XAuth = &ike.XAuth{User: ike.User{Name: "joe", Password: "secret"}}
		})},
		{Name: "master-key-pfs", Why: "1 quick modes for each main mode", Host: with(host(Rule("all", toPeer(), "ESP[3DES,SHA1]")), func(h *peerconf.Host) { h.Policy.MainMode.QuickModes = 1 })},
		{Name: "pfs-of-several", Why: "rule lab/all has perfect forward secrecy in the group of a main mode that offers several", Host: with(all(func(r *policy.Rule) { r.Action.PFS = true }), func(h *peerconf.Host) {
			h.Policy.MainMode.Proposals = policy.DefaultMainModeProposals()
		})},
		{Name: "keys-within", Why: "peers at 10.0.0.2 authenticate otherwise than those at 10.0.0.0/24", Host: host(
			Rule("subnet", to(policy.Subnet(subnet)), "ESP[3DES,SHA1]"),
			ruleWith(Rule("server", toPeer(), "ESP[3DES,SHA1]"), func(r *policy.Rule) { r.Auth = []policy.AuthMethod{{PreSharedKey: "another"}} }),
		)},
		{Name: "wrong-key", Why: "a certificate with the private key of another one", Host: with(all(func(r *policy.Rule) { r.Auth = byCertificate }), func(h *peerconf.Host) {
			c := *store
			other, err := pki.GenerateKey(rand.NewChaCha8([32]byte{1}), "rsa-1024")
			must(err)
			c.Store.Own = []pki.Own{{Certificate: c.Store.Own[0].Certificate, Key: other}}
			h.Certificates = &c
		})},
		{Name: "mode-config", Why: "mode config", Host: with(host(Rule("all", toPeer(), "ESP[3DES,SHA1]")), func(h *peerconf.Host) { h.Options.ModeConfig = &ike.ModeConfig{} })},
	}
}
