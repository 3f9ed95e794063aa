package scenarios

import (
	"bytes"
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/ipseclab/ipseclab/internal/ipsec"
	"github.com/ipseclab/ipseclab/internal/trace"
	"github.com/ipseclab/ipseclab/scenarios/spec"
)

// sa judges the SA pair that carried the step's traffic: the SPIs are read off
// the wire, and both ends must hold the same SA under each of them. Lifetimes
// and ages are those of the outer SA, which a bundle's other one shares.
func (j *judgement) sa(want *spec.SA) {
	s := j.step
	from, to := s.ends()
	proto, port := s.protocol()
	t := s.lab.wire.tally(s.begin, s.end, from, to, proto, port)
	if t.newest == nil {
		j.add(false, "sa", "SA in use", "an SA pair", "no protected frame", "no ESP or AH frame of the step was seen on the wire")
		return
	}
	protocol := t.newest.protection()
	outer := ipsec.ESP
	if t.newest.proto == ipsec.ProtoAH {
		outer = ipsec.AH
	}
	out, in, ok := j.sameSA(outer.String(), t.newest.spi, from, to)
	if !ok {
		return
	}
	a, b := out.SAAdded, in.SAAdded
	var esp, ah trace.SAAdded
	switch protocol {
	case spec.WireESP, spec.WireUDP:
		esp = a
	case spec.WireAH:
		ah = a
	default:
		inner, _, ok := j.sameSA(ipsec.ESP.String(), t.newest.espSPI, from, to)
		if !ok {
			return
		}
		ah, esp = a, inner.SAAdded
	}
	for _, c := range []struct{ field, name, want, got string }{
		{"protocol", "protocol", want.Protocol, protocol},
		{"mode", "mode", want.Mode, a.Mode},
		{"cipher", "cipher", want.Cipher, cmp.Or(esp.Cipher, spec.AlgorithmNone)},
		{"auth", "integrity", want.Auth, cmp.Or(esp.Auth, spec.AlgorithmNone)},
		{"ah-auth", "integrity of AH", want.AHAuth, cmp.Or(ah.Auth, spec.AlgorithmNone)},
	} {
		if c.want != "" {
			j.equal("sa."+c.field, c.name, c.want, c.got)
		}
	}
	if want.ESN != nil {
		j.equal("sa.esn", "extended sequence numbers", fmt.Sprint(*want.ESN), both(a.ESN, b.ESN))
	}
	if want.Seconds != 0 {
		j.equal("sa.seconds", "lifetime in seconds", fmt.Sprint(want.Seconds), both(shown(s.lab, from, to, a.Seconds, b.Seconds)))
	}
	if want.Kilobytes != 0 {
		j.equal("sa.kilobytes", "lifetime in kilobytes", fmt.Sprint(want.Kilobytes), both(shown(s.lab, from, to, a.Kilobytes, b.Kilobytes)))
	}
	if want.Age != 0 {
		age := s.end.age(out.at)
		j.add(age <= want.Age.Span(), "sa.max-age", "age", "<= "+want.Age.String(), age.String(), "")
	}
	if want.PFSGroup != nil {
		j.equal("sa.pfs-group", "PFS group", fmt.Sprint(*want.PFSGroup), s.lab.pfsGroup(s.end, from, to))
	}
	if want.MainMode != "" && !j.unheard() {
		chosen, _ := s.lab.established(s.end, false, from, to)
		j.equal("sa.main-mode", "main mode", want.MainMode, chosen)
	}
}

// sameSA finds the SA of a protocol and an SPI at the sender and at the receiver,
// and judges whether it is the same.
func (j *judgement) sameSA(protocol string, spi uint32, from, to party) (out, in addedSA, ok bool) {
	l, end := j.step.lab, j.step.end
	out, sent := l.saNamed(end, from.name, "outbound", protocol, spi)
	in, received := l.saNamed(end, to.name, "inbound", protocol, spi)
	if !sent || !received {
		j.add(false, "sa", "SA in use", "the same SA on both sides",
			fmt.Sprintf("%s SPI %#08x: at the sender %t, at the receiver %t", protocol, spi, sent, received), "")
		return out, in, false
	}
	a, b := out.SAAdded, in.SAAdded
	agree := l.sameKeys(from, to, a, b) && a.Cipher == b.Cipher && a.Auth == b.Auth && a.Mode == b.Mode && a.ESN == b.ESN
	got := strings.Join(strings.Fields(fmt.Sprintf("SPI %#08x, %s %s %s", spi, a.Protocol, a.Cipher, a.Auth)), " ")
	j.add(agree, "sa", "SA in use", "the same SA on both sides", got, "the two ends hold different keys or algorithms")
	return out, in, true
}

// sameKeys reports whether two ends have the same keys. A real peer may not show them: then
// its being able to read what was sent proves it.
func (l *lab) sameKeys(from, to party, a, b trace.SAAdded) bool {
	if l.realAmong(from, to) && (len(a.CipherKey)+len(a.AuthKey) == 0 || len(b.CipherKey)+len(b.AuthKey) == 0) {
		return true
	}
	return bytes.Equal(a.CipherKey, b.CipherKey) && bytes.Equal(a.AuthKey, b.AuthKey)
}

// shown are the values of two ends for a comparison: a lifetime that a real peer has set for itself
// alone (RFC 2407, Section 4.5.4 lets it) counts as that of the virtual host.
func shown[N comparable](l *lab, from, to party, a, b N) (N, N) {
	switch {
	case l.peerNamed(from.name) != nil:
		return b, b
	case l.peerNamed(to.name) != nil:
		return a, a
	}
	return a, b
}

// both is the value when both ends have the same, or the two.
func both[N comparable](a, b N) string {
	if a == b {
		return fmt.Sprint(a)
	}
	return fmt.Sprintf("%v at the sender, %v at the receiver", a, b)
}

// saNamed finds an SA of a node in the trace.
func (l *lab) saNamed(end window, node, direction, protocol string, spi uint32) (addedSA, bool) {
	for _, e := range slices.Backward(l.log.Events()[:end.events]) {
		if a, ok := e.Body.(trace.SAAdded); ok && e.Node == node && a.Direction == direction && a.Protocol == protocol && a.SPI == spi {
			return addedSA{a, e.At}, true
		}
	}
	return addedSA{}, false
}

// established is the proposal of the latest negotiation of a kind between two
// nodes, as its initiator saw it.
func (l *lab) established(end window, quickMode bool, a, b party) (chosen string, ok bool) {
	for _, e := range slices.Backward(l.log.Events()[:end.events]) {
		n, is := e.Body.(trace.Negotiation)
		if is && (n.Exchange == "quick mode") == quickMode && n.State == "established" && (n.Role == "initiator" || l.realAmong(a, b)) &&
			(e.Node == a.name && b.named(n.Remote) || e.Node == b.name && a.named(n.Remote)) {
			return n.Chosen, true
		}
	}
	return "none", false
}

// pfsGroup is the group of the latest quick mode's own Diffie–Hellman exchange; 0 without one.
func (l *lab) pfsGroup(end window, a, b party) string {
	chosen, _ := l.established(end, true, a, b)
	if _, group, ok := strings.Cut(chosen, "pfs group "); ok {
		return group
	}
	return "0"
}
