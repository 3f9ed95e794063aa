package esp

import (
	"errors"
	"net/netip"
	"testing"
	"testing/iotest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ipseclab/ipseclab/internal/ipsec"
	"github.com/ipseclab/ipseclab/internal/trace"
)

// What Add refuses, and how it says so.
func TestAddRefuses(t *testing.T) {
	gcm := ipsec.Transform{Protocol: ipsec.ESP, Cipher: "aes128-gcm16"}
	for _, c := range []struct {
		name   string
		tr     ipsec.Transform
		change func(*ipsec.SAParams)
		want   string
	}{
		{"no direction", tripleDES, func(p *ipsec.SAParams) { p.Direction = 0 }, "there is no direction(0)"},
		{"two protocols", tripleDES, func(p *ipsec.SAParams) { p.Protocol = ipsec.AH }, "the SA is of AH and its transform of ESP"},
		{"no protocol", tripleDES, func(p *ipsec.SAParams) { p.Protocol, p.Transform.Protocol = 4, 4 }, "unsupported protocol protocol(4)"},
		{"no mode", tripleDES, func(p *ipsec.SAParams) { p.Mode = 3 }, "there is no mode(3)"},
		{"AH with a cipher", ahSHA1, func(p *ipsec.SAParams) { p.Transform.Cipher = "des-cbc" }, `AH encrypts nothing and takes no "des-cbc"`},
		{"AH with a cipher's key", ahSHA1, func(p *ipsec.SAParams) { p.CipherKey = []byte{1} }, "AH encrypts nothing and takes no key for it"},
		{"AH without integrity", ahSHA1, func(p *ipsec.SAParams) { p.Transform.Auth = "" }, "AH needs an integrity algorithm"},
		{"AH with a short key", ahSHA1, func(p *ipsec.SAParams) { p.AuthKey = p.AuthKey[1:] }, "suite: hmac-sha1-96 takes a key of 20 bytes, not 19"},
		{"ESP around another SA", tripleDES, func(p *ipsec.SAParams) { p.Inner = 0x2000 }, "unsupported: only AH can be outside in a bundle"},
		{"AH around nothing", ahSHA1, func(p *ipsec.SAParams) { p.Inner = 0x9999 }, "the ESP SA 0x00009999 inside it is not added with it"},
		{"AH around AH", ahSHA1, func(p *ipsec.SAParams) { p.Inner = 0x1000 }, "the ESP SA 0x00001000 inside it is not added with it"},
		{"neither encryption nor integrity", espNull, func(p *ipsec.SAParams) { p.Transform.Auth, p.AuthKey = "", nil }, "ESP with null needs an integrity algorithm"},
		{"NULL with a key", espNull, func(p *ipsec.SAParams) { p.CipherKey = []byte{1} }, "null takes 0 bytes of key and 0 of salt, not 1 together"},
		{"a key for no integrity", tripleDES, func(p *ipsec.SAParams) { p.Transform.Auth = "" }, "there is a key for integrity, and no algorithm"},
		{"SPI 0", tripleDES, func(p *ipsec.SAParams) { p.SPI = 0 }, "SPI 0 is reserved (RFC 4303, Section 2.1)"},
		{"SPI 255", tripleDES, func(p *ipsec.SAParams) { p.SPI = 255 }, "SPI 255 is reserved (RFC 4303, Section 2.1)"},
		{"two families", tripleDES, func(p *ipsec.SAParams) { p.Dst = netip.IPv6LinkLocalAllNodes() }, "10.0.0.1 > ff02::1 are not two addresses of one family"},
		{"no address", tripleDES, func(p *ipsec.SAParams) { p.Src = netip.Addr{} }, "invalid IP > 10.0.0.2 are not two addresses of one family"},
		{"multicast", tripleDES, func(p *ipsec.SAParams) { p.Dst = netip.MustParseAddr("224.0.0.1") }, "SAs are for unicast addresses only"},
		{"lifetime", tripleDES, func(p *ipsec.SAParams) { p.Lifetime.Duration = -time.Second }, "lifetime -1s is negative"},
		{"cipher", tripleDES, func(p *ipsec.SAParams) { p.Transform.Cipher = "rot13" }, `unsupported cipher "rot13"`},
		{"integrity", tripleDES, func(p *ipsec.SAParams) { p.Transform.Auth = "hmac-md4-96" }, `unsupported integrity algorithm "hmac-md4-96"`},
		{"no integrity", tripleDES, func(p *ipsec.SAParams) { p.Transform.Auth, p.AuthKey = "", nil }, "unsupported: 3des-cbc without integrity outside AH"},
		{"short key", tripleDES, func(p *ipsec.SAParams) { p.CipherKey = p.CipherKey[1:] }, "3des-cbc takes 24 bytes of key and 0 of salt, not 23 together"},
		{"single DES", tripleDES, func(p *ipsec.SAParams) { p.CipherKey = make([]byte, 24) }, "suite: 3des-cbc: two neighbouring parts of the key are equal, which makes it single DES"},
		{"short integrity key", tripleDES, func(p *ipsec.SAParams) { p.AuthKey = p.AuthKey[1:] }, "suite: hmac-sha1-96 takes a key of 20 bytes, not 19"},
		{"GCM without salt", gcm, func(p *ipsec.SAParams) { p.CipherKey = p.CipherKey[:16] }, "aes128-gcm16 takes 16 bytes of key and 4 of salt, not 16 together"},
		{"GCM with integrity", gcm, func(p *ipsec.SAParams) { p.Transform.Auth = "hmac-sha1-96" }, `aes128-gcm16 authenticates by itself and takes no "hmac-sha1-96"`},
		{"GCM with integrity key", gcm, func(p *ipsec.SAParams) { p.AuthKey = []byte{1} }, `aes128-gcm16 authenticates by itself and takes no key for it`},
	} {
		n := newNode(t, Config{})
		good, _ := params(c.tr, alice, carol, 0x2000, 1)
		bad, _ := params(c.tr, alice, bob, 0x1000, 1)
		c.change(&bad)
		err := n.Add(start, good, bad)
		require.ErrorContains(t, err, "esp: adding the ", c.name)
		require.ErrorContains(t, err, c.want, c.name)
		require.Empty(t, n.SAs(), "%s: all or none", c.name)
		require.Empty(t, n.trace, c.name)
	}
}

func TestAddRefusesDuplicates(t *testing.T) {
	n := newNode(t, Config{})
	out, in := params(tripleDES, alice, bob, 0x1000, 1)
	toCarol, _ := params(tripleDES, alice, carol, 0x1000, 1)
	require.NoError(t, n.Add(start, out, in, toCarol), "one SPI per direction, and per destination when outbound")
	require.ErrorContains(t, n.Add(start, out), "adding the outbound ESP SA 0x00001000: there is one already")
	require.ErrorContains(t, n.Add(start, in), "adding the inbound ESP SA 0x00001000: there is one already")
	out.SPI = 0x3000
	require.ErrorContains(t, n.Add(start, out, out), "there is one already")
	require.Len(t, n.SAs(), 3)
}

func TestAddIsTraced(t *testing.T) {
	n := newNode(t, Config{})
	p, _ := params(tripleDES, alice, bob, 0x1000, 0x2000)
	p.Lifetime, p.Initiator = ipsec.Lifetime{Duration: time.Hour, Kilobytes: 100000}, true
	require.NoError(t, n.Add(start, p))
	require.Equal(t, []trace.SAAdded{{
		Direction: "outbound", Protocol: "ESP", SPI: 0x1000, PeerSPI: 0x2000, Src: "10.0.0.1", Dst: "10.0.0.2", Mode: "transport",
		Cipher: "3des-cbc", CipherKey: p.CipherKey, Auth: "hmac-sha1-96", AuthKey: p.AuthKey,
		Selector: "any 10.0.0.1 > 10.0.0.2", Rule: "p/secure", Seconds: 3600, Kilobytes: 100000, Initiator: true,
	}}, traced[trace.SAAdded](n))
	require.Equal(t, []SAInfo{{SAParams: p, Added: start, Expires: start.Add(time.Hour)}}, n.SAs())
}

// Keys that a caller overwrites, and keys that SAs hands out, are not those in use.
func TestKeysAreCopied(t *testing.T) {
	a, b := secured(t, Config{}, tripleDES, ipsec.Lifetime{})
	for _, n := range []*node{a, b} {
		for _, s := range n.SAs() {
			clear(s.CipherKey)
			clear(s.AuthKey)
		}
	}
	require.NotZero(t, a.SAs()[0].CipherKey[1])
	require.Equal(t, Opened, carry(t, a, b, start, toBob(1, 2)).Outcome)
}

// The outbound SA is the newest of (entry, local, peer) whose selector holds the packet.
func TestOutboundChoice(t *testing.T) {
	n := newNode(t, Config{})
	web := negotiate(1, ipsec.Outbound, ipsec.Selector{Proto: 17, DstPort: 80})
	rest := negotiate(2, ipsec.Outbound, ipsec.Selector{})
	n.SetPolicy([]ipsec.Policy{web, rest}, nil)
	add := func(spi uint32, dst netip.Addr, policy int, change func(*ipsec.SAParams)) {
		p, _ := params(tripleDES, alice, dst, spi, 1)
		p.PolicyID = policy
		if change != nil {
			change(&p)
		}
		require.NoError(t, n.Add(start, p))
	}
	chosen := func(src, dst netip.Addr, srcPort, dstPort uint16) uint32 {
		return n.Outbound(start, ip(src, dst, 17, udp(srcPort, dstPort, 0)), 0).SPI
	}
	add(0x101, bob, 1, nil)
	add(0x102, bob, 2, nil)
	add(0x103, carol, 1, nil)
	require.EqualValues(t, 0x101, chosen(alice, bob, 9, 80), "by entry")
	require.EqualValues(t, 0x102, chosen(alice, bob, 9, 81), "by entry")
	require.EqualValues(t, 0x103, chosen(alice, carol, 9, 80), "by peer")
	require.EqualValues(t, 0, chosen(alice, carol, 9, 81), "the SA with Carol is another entry's")
	require.EqualValues(t, 0, chosen(netip.MustParseAddr("10.0.0.4"), bob, 9, 80), "by local address")

	add(0x104, bob, 1, nil)
	require.EqualValues(t, 0x104, chosen(alice, bob, 9, 80), "the newest")
	add(0x105, bob, 1, func(p *ipsec.SAParams) { p.Selector.SrcPort = 7 })
	require.EqualValues(t, 0x104, chosen(alice, bob, 9, 80), "the newest whose selector holds the packet")
	require.EqualValues(t, 0x105, chosen(alice, bob, 7, 80))

	// One that the peer asked for serves an entry that accepts its protection.
	add(0x106, bob, 0, nil)
	require.EqualValues(t, 0x106, chosen(alice, bob, 9, 80))
	add(0x107, bob, 0, func(p *ipsec.SAParams) {
		q, _ := params(suites[10], alice, bob, 0x107, 1)
		p.Transform, p.CipherKey, p.AuthKey = q.Transform, q.CipherKey, nil
	})
	require.EqualValues(t, 0x106, chosen(alice, bob, 9, 80), "not a suite of this entry")

	require.True(t, n.Remove(start, ipsec.Outbound, ipsec.ESP, 0x106, "test"))
	require.EqualValues(t, 0x104, chosen(alice, bob, 9, 80))
}

func TestRemove(t *testing.T) {
	n := newNode(t, Config{})
	toBob, in := params(tripleDES, alice, bob, 0x1000, 1)
	toCarol, _ := params(tripleDES, alice, carol, 0x1000, 1)
	other, _ := params(tripleDES, alice, carol, 0x2000, 1)
	fill := func() {
		n.RemoveAll(start, "test")
		require.NoError(t, n.Add(start, toBob, in, toCarol, other))
		n.trace = nil
	}
	fill()
	require.False(t, n.Remove(start, ipsec.Outbound, ipsec.ESP, 0x3000, "x"))
	require.False(t, n.Remove(start, ipsec.Outbound, ipsec.AH, 0x1000, "x"))
	require.True(t, n.Remove(start, ipsec.Outbound, ipsec.ESP, 0x1000, "deleted by peer"))
	require.Len(t, n.SAs(), 2)
	require.Equal(t, []trace.SARemoved{
		{Direction: "outbound", Protocol: "ESP", SPI: 0x1000, Dst: "10.0.0.2", Reason: "deleted by peer"},
		{Direction: "outbound", Protocol: "ESP", SPI: 0x1000, Dst: "10.0.0.3", Reason: "deleted by peer"},
	}, traced[trace.SARemoved](n))

	fill()
	require.False(t, n.RemoveSA(start, ipsec.Outbound, ipsec.ESP, alice, 0x1000, "x"))
	require.True(t, n.RemoveSA(start, ipsec.Outbound, ipsec.ESP, carol, 0x1000, "x"))
	require.False(t, n.RemoveSA(start, ipsec.Outbound, ipsec.ESP, carol, 0x1000, "x"))
	require.False(t, n.RemoveSA(start, ipsec.Inbound, ipsec.ESP, alice, 0x1000, "x"), "not its destination")
	require.True(t, n.RemoveSA(start, ipsec.Inbound, ipsec.ESP, bob, 0x1000, "x"))
	require.Len(t, n.SAs(), 2)

	fill()
	require.Equal(t, []ipsec.SAParams{toBob, in, toCarol, other}, n.RemoveAll(start, "policy changed"))
	require.Empty(t, n.SAs())
	require.Empty(t, n.RemoveAll(start, "again"))
	c := n.Counters()
	require.Zero(t, c.ActiveSAs)
	require.Equal(t, c.KeyAdditions, c.KeyDeletions)
}

func TestSPIs(t *testing.T) {
	n := newNode(t, Config{})
	require.EqualValues(t, 0x01020304, n.AllocateSPI(ipsec.ESP), "from Config.Rand")

	n.cfg.Rand = zeroes{}
	require.EqualValues(t, 256, n.AllocateSPI(ipsec.ESP), "the lowest that is not reserved")
	require.EqualValues(t, 257, n.AllocateSPI(ipsec.ESP), "the next free one")
	require.EqualValues(t, 256, n.AllocateSPI(ipsec.AH), "per protocol")
	n.ReleaseSPI(ipsec.ESP, 256)
	n.ReleaseSPI(ipsec.ESP, 9999)
	require.EqualValues(t, 256, n.AllocateSPI(ipsec.ESP))

	_, in := params(tripleDES, alice, bob, 256, 1)
	require.NoError(t, n.Add(start, in))
	n.ReleaseSPI(ipsec.ESP, 256)
	require.EqualValues(t, 258, n.AllocateSPI(ipsec.ESP), "an SA has it")
	require.True(t, n.Remove(start, ipsec.Inbound, ipsec.ESP, 256, "x"))
	require.EqualValues(t, 256, n.AllocateSPI(ipsec.ESP), "the SA used up its reservation")

	n.cfg.Rand = ones{}
	require.EqualValues(t, 0xffffffff, n.AllocateSPI(ipsec.ESP))
	require.EqualValues(t, 259, n.AllocateSPI(ipsec.ESP), "around the end, past the reserved ones")

	n.cfg.Rand = iotest.ErrReader(errors.New("dry"))
	require.Zero(t, n.AllocateSPI(ipsec.ESP))
}

type zeroes struct{}

func (zeroes) Read(b []byte) (int, error) { clear(b); return len(b), nil }

type ones struct{}

func (ones) Read(b []byte) (int, error) {
	for i := range b {
		b[i] = 0xff
	}
	return len(b), nil
}

func TestConfig(t *testing.T) {
	for _, c := range []struct {
		c    Config
		want string
	}{
		{Config{}, "esp: Config.Rand is missing: SPIs need a source of randomness"},
		{Config{Rand: zeroes{}, Window: 31}, "esp: Config.Window: replay: a window of 31 packets is outside 32 to 65536"},
		{Config{Rand: zeroes{}, Window: -1}, "esp: Config.Window: replay: a window of -1 packets is outside 32 to 65536"},
		{Config{Rand: zeroes{}, Rekey: Rekey{Margin: -1}}, "esp: Config.Rekey.Margin is negative: -1ns"},
	} {
		_, err := New(c.c)
		require.EqualError(t, err, c.want)
	}
	_, err := New(Config{Rand: zeroes{}})
	require.NoError(t, err)
}
