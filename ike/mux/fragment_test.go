package mux_test

import (
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ipseclab/ipseclab/ike"
	"github.com/ipseclab/ipseclab/ike/payload"
)

// MS NT5 ISAKMPOAKLEY with the versions of Server 2003 and of Windows 2000, MS-IKEE, product note 6.
var (
	microsoft2003 = []byte("\x1e\x2b\x51\x69\x05\x99\x1c\x7d\x7c\x96\xfc\xbf\xb5\x87\xe4\x61\x00\x00\x00\x04")
	microsoft2000 = []byte("\x1e\x2b\x51\x69\x05\x99\x1c\x7d\x7c\x96\xfc\xbf\xb5\x87\xe4\x61\x00\x00\x00\x02")
)

// A network that drops what does not fit 576 bytes, as one that drops fragments of IP does.
func TestFragmentsGetThrough(t *testing.T) {
	for _, row := range []struct {
		name   string
		a, b   ike.FragmentForm
		after  time.Duration // when both sides have the pair
		failed bool
	}{
		{"nobody fragments", ike.NoFragments, ike.NoFragments, schedule, true},
		{"Windows", ike.WindowsFragments, ike.WindowsFragments, 3 * time.Second, false},
		{"Cisco", ike.CiscoFragments, ike.CiscoFragments, 0, false},
		{"Windows asks, Cisco answers", ike.WindowsFragments, ike.CiscoFragments, 3 * time.Second, false},
		{"Cisco asks, Windows answers", ike.CiscoFragments, ike.WindowsFragments, 0, false},
		{"one side alone", ike.CiscoFragments, ike.NoFragments, schedule, true},
	} {
		n, a, b := newPair(t)
		for _, h := range n.hosts {
			h.mainMode.Identity = ike.Identity{Type: payload.IDFQDN, Data: []byte(strings.Repeat(h.name, 1000))}
			h.config.VendorIDs = [][]byte{microsoft2003}
		}
		a.config.Fragmentation, b.config.Fragmentation = ike.Fragmentation{Form: row.a}, ike.Fragmentation{Form: row.b}
		a.reboot()
		b.reboot()
		n.fate = func(_ int, d ike.Datagram) []time.Duration {
			if len(d.Payload) > 576-20-8 {
				return nil
			}
			return []time.Duration{n.latency}
		}
		a.request(b)
		n.run(row.after + time.Second)
		if row.failed {
			require.Len(t, a.failed, 1, row.name)
			continue
		}
		n.wantPairs(row.name, 1)
	}
}

// What a stranger sends in fragments is forgotten with the main mode that it named.
func TestFragmentsOfDeadMainModes(t *testing.T) {
	n, a, b := newPair(t)
	for _, h := range n.hosts {
		h.config.Fragmentation.Form = ike.CiscoFragments
		h.mainMode.Identity = ike.Identity{Type: payload.IDFQDN, Data: []byte(strings.Repeat(h.name, 1000))}
		h.reboot()
	}
	n.fate = func(_ int, d ike.Datagram) []time.Duration {
		if d.Local.Addr() == b.addr {
			return nil // a does not hear b, and b not what follows
		}
		return []time.Duration{n.latency}
	}
	for range 20 { // main modes, each with as much as it may keep
		a.reboot()
		a.request(b)
	}
	n.run(90 * time.Second)
	sas := b.mux.MainModes()
	require.Len(t, sas, 20)
	for _, sa := range sas {
		h := payload.Header{
			CookieI: sa.Cookies.Initiator, CookieR: sa.Cookies.Responder,
			Next: payload.TypeFragment, Version: payload.Version1, Exchange: payload.MainMode,
		}
		for k := range 200 {
			m := payload.Append(h.Append(nil), payload.Fragment{ID: uint16(k / 25), Number: uint8(1 + k%25), Data: make([]byte, 500)})
			payload.SetLength(m)
			n.fly(ike.Datagram{Local: netip.AddrPortFrom(a.addr, 500), Remote: netip.AddrPortFrom(b.addr, 500), Payload: m}, n.latency)
		}
	}
	n.run(91 * time.Second)
	require.Contains(t, last(b, "main mode", 0).Note, "too many bytes of fragments wait for others")
	n.run(100 * time.Second)
	require.Empty(t, b.mux.MainModes(), "nobody went on with them")
	n.fate = nil
	a.request(b)
	n.run(101 * time.Second)
	n.wantPairs("there is room for fragments again", 1)
}
