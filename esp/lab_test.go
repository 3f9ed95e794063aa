package esp

import (
	"encoding/hex"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ipseclab/ipseclab/internal/ipsec"
	"github.com/ipseclab/ipseclab/internal/suite"
	"github.com/ipseclab/ipseclab/internal/trace"
)

// The lab of these tests: Alice and Bob, each a Pipeline, and packets made by hand.
var (
	start = time.Date(2005, 3, 30, 0, 0, 0, 0, time.UTC)
	alice = netip.MustParseAddr("10.0.0.1")
	bob   = netip.MustParseAddr("10.0.0.2")
	carol = netip.MustParseAddr("10.0.0.3")

	alice6 = netip.MustParseAddr("2001:db8:1::1")
	bob6   = netip.MustParseAddr("2001:db8:2::2")
	carol6 = netip.MustParseAddr("2001:db8:3::3")
)

// suites are all ESP transforms that Add accepts for an SA alone.
var suites = func() (all []ipsec.Transform) {
	for _, c := range []string{"3des-cbc", "aes128-cbc", "aes192-cbc", "aes256-cbc"} {
		for _, a := range []string{"hmac-sha1-96", "hmac-sha256-128"} {
			all = append(all, ipsec.Transform{Protocol: ipsec.ESP, Cipher: c, Auth: a})
		}
	}
	all = append(all, ipsec.Transform{Protocol: ipsec.ESP, Cipher: "chacha20-poly1305"})
	for _, key := range []string{"aes128", "aes192", "aes256"} {
		for _, mode := range []string{"gcm16", "gcm12", "gcm8", "ccm16", "ccm12", "ccm8", "gmac"} {
			all = append(all, ipsec.Transform{Protocol: ipsec.ESP, Cipher: key + "-" + mode})
		}
		all = append(all, ipsec.Transform{Protocol: ipsec.ESP, Cipher: key + "-ctr", Auth: "hmac-sha1-96"},
			ipsec.Transform{Protocol: ipsec.ESP, Cipher: key + "-cbc", Auth: "aes-xcbc-96"})
	}
	for _, c := range []string{"3des-cbc", "aes128-cbc", "aes192-cbc", "aes256-cbc"} {
		for _, a := range []string{"hmac-md5-96", "hmac-sha384-192", "hmac-sha512-256"} {
			all = append(all, ipsec.Transform{Protocol: ipsec.ESP, Cipher: c, Auth: a})
		}
	}
	for _, c := range []string{"des-cbc", "null"} {
		for _, a := range macs {
			all = append(all, ipsec.Transform{Protocol: ipsec.ESP, Cipher: c, Auth: a})
		}
	}
	for _, tr := range []ipsec.Transform{
		{Protocol: ipsec.ESP, Cipher: "3des-cbc", Auth: "hmac-sha1-96"}, {Protocol: ipsec.ESP, Cipher: "null", Auth: "hmac-sha1-96"}, {Protocol: ipsec.ESP, Cipher: "aes128-ctr", Auth: "hmac-sha256-128"}, {Protocol: ipsec.ESP, Cipher: "aes128-cbc", Auth: "aes-xcbc-96"},
		{Protocol: ipsec.ESP, Cipher: "aes256-gcm16"}, {Protocol: ipsec.ESP, Cipher: "aes128-gcm8"}, {Protocol: ipsec.ESP, Cipher: "aes128-ccm12"},
		{Protocol: ipsec.ESP, Cipher: "aes128-gmac"}, {Protocol: ipsec.ESP, Cipher: "chacha20-poly1305"},
	} {
		tr.ESN = true
		all = append(all, tr)
	}
	return all
}()

// secret reports whether a transform encrypts.
func secret(t ipsec.Transform) bool {
	return t.Protocol == ipsec.ESP && t.Cipher != "null" && !slices.Contains(gmacs, t.Cipher)
}

// macs are all integrity algorithms of ESP, gmacs those that are for AH alone.
var (
	macs  = []string{"hmac-md5-96", "hmac-sha1-96", "hmac-sha256-128", "hmac-sha384-192", "hmac-sha512-256", "aes-xcbc-96"}
	gmacs = []string{"aes128-gmac", "aes192-gmac", "aes256-gmac"}
)

var (
	tripleDES   = suites[0]
	desAlone    = ipsec.Transform{Protocol: ipsec.ESP, Cipher: "3des-cbc"} // inside AH only
	espNull     = ipsec.Transform{Protocol: ipsec.ESP, Cipher: "null", Auth: "hmac-sha1-96"}
	ahSHA1      = ipsec.Transform{Protocol: ipsec.AH, Auth: "hmac-sha1-96"}
	bothDESSHA1 = []ipsec.Transform{tripleDES, ahSHA1}
)

// protections are ways to protect packets with AH, innermost first.
var protections = func() (all [][]ipsec.Transform) {
	for _, a := range slices.Concat(macs, gmacs) {
		all = append(all, []ipsec.Transform{{Protocol: ipsec.AH, Auth: a}}, []ipsec.Transform{{Protocol: ipsec.AH, Auth: a, ESN: true}})
	}
	return append(all, bothDESSHA1, []ipsec.Transform{desAlone, ahSHA1}, []ipsec.Transform{espNull, {Protocol: ipsec.AH, Auth: "hmac-md5-96"}},
		[]ipsec.Transform{{Protocol: ipsec.ESP, Cipher: "aes128-gcm16"}, {Protocol: ipsec.AH, Auth: "hmac-sha512-256"}})
}()

// everyProtection are all suites and protections.
func everyProtection() [][]ipsec.Transform {
	all := append([][]ipsec.Transform(nil), protections...)
	for _, tr := range suites {
		all = append(all, []ipsec.Transform{tr})
	}
	return all
}

// named prints a protection.
func named(transforms []ipsec.Transform) string {
	return ipsec.Proposal{Transforms: transforms}.String()
}

// counting is a source of "randomness" that counts: 1, 2, 3 …
type counting struct{ n byte }

func (c *counting) Read(b []byte) (int, error) {
	for i := range b {
		c.n++
		b[i] = c.n
	}
	return len(b), nil
}

// node is a Pipeline with its trace.
type node struct {
	*Pipeline
	trace []trace.Body
}

func newNode(t testing.TB, c Config) *node {
	t.Helper()
	n := &node{}
	c.Rand, c.Trace = &counting{}, func(b trace.Body) { n.trace = append(n.trace, b) }
	var err error
	n.Pipeline, err = New(c)
	require.NoError(t, err)
	return n
}

// events drains the queue.
func (n *node) events() (all []Event) {
	for e, ok := n.NextEvent(); ok; e, ok = n.NextEvent() {
		all = append(all, e)
	}
	return all
}

// traced are the recorded bodies of one type, which are then forgotten with all others.
func traced[B trace.Body](n *node) (found []B) {
	for _, b := range n.trace {
		if b, ok := b.(B); ok {
			found = append(found, b)
		}
	}
	n.trace = nil
	return found
}

// negotiate is an entry that protects everything between two addresses.
func negotiate(id int, d ipsec.Direction, sel ipsec.Selector) ipsec.Policy {
	return ipsec.Policy{ID: id, Rule: "p/secure", Direction: d, Selector: sel, Action: ipsec.Protect,
		Proposals: []ipsec.Proposal{{Transforms: []ipsec.Transform{tripleDES}, Mode: ipsec.Transport}}}
}

func between(src, dst netip.Addr) ipsec.Selector {
	return ipsec.Selector{Src: ipsec.Host(src), Dst: ipsec.Host(dst)}
}

// keyFor is key material that is different for each seed byte.
func keyFor(n int, seed byte) []byte {
	k := make([]byte, n)
	for i := range k {
		k[i] = seed + byte(i)*7
	}
	return k
}

// params are the two ends' views of one SA from src to dst.
func params(tr ipsec.Transform, src, dst netip.Addr, spi, peerSPI uint32) (out, in ipsec.SAParams) {
	out = ipsec.SAParams{
		Direction: ipsec.Outbound, Protocol: tr.Protocol, SPI: spi, PeerSPI: peerSPI, Src: src, Dst: dst,
		Mode: ipsec.Transport, Transform: tr, Selector: between(src, dst), PolicyID: 1, Rule: "p/secure",
	}
	if c := suite.CipherNamed(tr.Cipher); c != nil {
		out.CipherKey = keyFor(c.KeyLen+c.SaltLen, byte(spi))
	}
	if a := suite.AuthNamed(tr.Auth); a != nil {
		out.AuthKey = keyFor(a.KeyLen+a.SaltLen, byte(spi)+100)
	}
	in = out
	in.Direction = ipsec.Inbound
	return out, in
}

// link gives two nodes a pair of SAs. Alice started the quick mode.
func link(t testing.TB, a, b *node, tr ipsec.Transform, spi uint32, life ipsec.Lifetime, now time.Time) {
	t.Helper()
	aOut, bIn := params(tr, alice, bob, spi, spi+1)
	bOut, aIn := params(tr, bob, alice, spi+1, spi)
	for _, p := range []*ipsec.SAParams{&aOut, &bIn, &bOut, &aIn} {
		p.Lifetime = life
	}
	aOut.Initiator, aIn.Initiator = true, true
	require.NoError(t, a.Add(now, aIn, aOut))
	require.NoError(t, b.Add(now, bIn, bOut))
}

// bundled are the two ends' views of the SAs of a bundle from src to dst,
// innermost first; each SPI is one above that of the SA inside.
func bundled(transforms []ipsec.Transform, mode ipsec.Mode, src, dst netip.Addr, spi, peerSPI uint32) (out, in []ipsec.SAParams) {
	for i, tr := range transforms {
		o, n := params(tr, src, dst, spi+uint32(i), peerSPI+uint32(i))
		if i > 0 {
			o.Inner, n.Inner = spi+uint32(i-1), spi+uint32(i-1)
		}
		o.Mode, n.Mode = mode, mode
		out, in = append(out, o), append(in, n)
	}
	return out, in
}

// ends are the addresses of Alice and Bob.
type ends struct{ a, b netip.Addr }

// families are the two ways to reach each other.
var families = map[string]ends{"IPv4": {alice, bob}, "IPv6": {alice6, bob6}}

// packet is a datagram from Alice to Bob.
func (e ends) packet(proto uint8, payload []byte) []byte {
	if e.a.Is6() {
		return ip6(e.a, e.b, proto, payload)
	}
	return ip(e.a, e.b, proto, payload)
}

// joined are Alice and Bob, who protect everything between them with a bundle:
// 0x1000 and 0x1001 from Alice to Bob, 0x2000 and 0x2001 from Bob to Alice.
func joined(t testing.TB, c Config, life ipsec.Lifetime, transforms ...ipsec.Transform) (a, b *node) {
	t.Helper()
	return joinedAt(t, families["IPv4"], c, life, transforms...)
}

func joinedAt(t testing.TB, e ends, c Config, life ipsec.Lifetime, transforms ...ipsec.Transform) (a, b *node) {
	t.Helper()
	a, b = newNode(t, c), newNode(t, c)
	policies := func(src, dst netip.Addr) (out, in []ipsec.Policy) {
		for d, p := range map[ipsec.Direction]*[]ipsec.Policy{ipsec.Outbound: &out, ipsec.Inbound: &in} {
			e := negotiate(1, d, between(src, dst))
			if d == ipsec.Inbound {
				e.Selector = between(dst, src)
			}
			e.Proposals = []ipsec.Proposal{{Transforms: transforms, Mode: ipsec.Transport}}
			*p = []ipsec.Policy{e}
		}
		return out, in
	}
	a.SetPolicy(policies(e.a, e.b))
	b.SetPolicy(policies(e.b, e.a))
	join(t, e, a, b, 0x1000, 0x2000, life, start, transforms)
	return a, b
}

// tunnelled are Alice and Bob with SAs of one direction and no others. Everything
// that Alice sends is for them, through a tunnel to their end if that is their mode.
func tunnelled(t testing.TB, c Config, out, in []ipsec.SAParams) (a, b *node) {
	t.Helper()
	a, b = newNode(t, c), newNode(t, c)
	e := negotiate(1, ipsec.Outbound, ipsec.Selector{})
	if out[0].Mode == ipsec.Tunnel {
		e.Peer = out[0].Dst
	}
	a.SetPolicy([]ipsec.Policy{e}, nil)
	require.NoError(t, a.Add(start, out...))
	require.NoError(t, b.Add(start, in...))
	return a, b
}

// join gives two nodes a pair of bundles. Alice started the quick mode.
func join(t testing.TB, e ends, a, b *node, toBob, toAlice uint32, life ipsec.Lifetime, now time.Time, transforms []ipsec.Transform) {
	t.Helper()
	aOut, bIn := bundled(transforms, ipsec.Transport, e.a, e.b, toBob, toAlice)
	bOut, aIn := bundled(transforms, ipsec.Transport, e.b, e.a, toAlice, toBob)
	for i := range transforms {
		for _, p := range []*ipsec.SAParams{&aOut[i], &bIn[i], &bOut[i], &aIn[i]} {
			p.Lifetime = life
		}
		aOut[i].Initiator, aIn[i].Initiator = true, true
	}
	require.NoError(t, a.Add(now, append(aIn, aOut...)...))
	// The responder has its inbound SAs first.
	require.NoError(t, b.Add(now, bIn...))
	require.NoError(t, b.Add(now, bOut...))
}

// secured are Alice and Bob, who protect everything between them.
func secured(t testing.TB, c Config, tr ipsec.Transform, life ipsec.Lifetime) (a, b *node) {
	t.Helper()
	a, b = newNode(t, c), newNode(t, c)
	a.SetPolicy([]ipsec.Policy{negotiate(1, ipsec.Outbound, between(alice, bob))}, []ipsec.Policy{negotiate(1, ipsec.Inbound, between(bob, alice))})
	b.SetPolicy([]ipsec.Policy{negotiate(1, ipsec.Outbound, between(bob, alice))}, []ipsec.Policy{negotiate(1, ipsec.Inbound, between(alice, bob))})
	link(t, a, b, tr, 0x1000, life, start)
	return a, b
}

// parsed is a valid datagram, or why it is none.
func parsed(b []byte) (*datagram, malformed) {
	d := &datagram{}
	return d, d.parse(b)
}

func unhex(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(strings.Join(strings.Fields(s), ""))
	require.NoError(t, err)
	return b
}

// carry sends a packet from one node to the other and returns the decision of the receiver.
func carry(t testing.TB, from, to *node, now time.Time, packet []byte) Decision {
	t.Helper()
	d := from.Outbound(now, packet, 0)
	require.Equal(t, Protected, d.Outcome, d.Why)
	return to.InboundProtected(now, d.Packet)
}
