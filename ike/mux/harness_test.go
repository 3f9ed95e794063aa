package mux_test

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ipseclab/ipseclab/ike"
	"github.com/ipseclab/ipseclab/ike/mux"
	"github.com/ipseclab/ipseclab/ike/payload"
	"github.com/ipseclab/ipseclab/internal/ipsec"
	"github.com/ipseclab/ipseclab/internal/trace"
)

// network joins engines in virtual time. Each expectation is a sentence that
// the failure prints.
type network struct {
	t       testing.TB
	start   time.Time
	now     time.Time
	hosts   []*host
	flying  []flight
	serial  int
	sent    []ike.Datagram
	latency time.Duration
	// fate says when copies of the nth datagram (from 1) arrive, after its sending; empty: lost. nil: once, after latency.
	fate func(n int, d ike.Datagram) []time.Duration
	// alter may change what arrives; nil: nothing.
	alter func(n int, b []byte) []byte
}

type flight struct {
	at     time.Time
	serial int
	d      ike.Datagram // as the receiver sees it
}

// host is an engine with the little of a data plane that the tests look at.
type host struct {
	n         *network
	name      string
	addr      netip.Addr
	config    ike.Config
	mux       *mux.Mux
	psk       string
	mainMode  ike.MainMode
	quickMode ike.QuickMode
	deaf      bool // no rule for anybody
	refuses   bool // no rule negotiates

	firstSPI  uint32
	nextSPI   map[ipsec.Protocol]uint32 // counted apart, so that the protocols use the same numbers
	allocated map[said]bool             // and not released
	in, out   map[said]ipsec.SAParams
	early     map[said]ipsec.SAParams // handed over by EventInbound, the pair still to come
	log       []trace.Body
	events    []ike.Event
	failed    []ike.EventFailed
	requests  uint64
}

// said names an SA of one direction.
type said struct {
	protocol ipsec.Protocol
	spi      uint32
}

func idOf(sa ipsec.SAParams) said { return said{sa.Protocol, sa.SPI} }

var des3 = ipsec.Transform{Protocol: ipsec.ESP, Cipher: "3des-cbc", Auth: "hmac-sha1-96"}

func proposal(t ipsec.Transform) ipsec.Proposal {
	return ipsec.Proposal{Transforms: []ipsec.Transform{t}, Lifetime: ipsec.Lifetime{Duration: time.Hour, Kilobytes: 100000}, Mode: ipsec.Transport}
}

func newNetwork(t testing.TB) *network {
	start := time.Date(2005, 3, 30, 0, 0, 0, 0, time.UTC)
	return &network{t: t, start: start, now: start, latency: 5 * time.Millisecond}
}

// newPair is two hosts that agree on everything.
func newPair(t testing.TB) (n *network, a, b *host) {
	n = newNetwork(t)
	return n, n.add("a", "10.0.0.1", 1), n.add("b", "10.0.0.2", 2)
}

// add makes a host; seed is its random stream.
func (n *network) add(name, addr string, seed uint64) *host {
	h := &host{
		n: n, name: name, addr: netip.MustParseAddr(addr), psk: "interop-lab-psk",
		mainMode:  ike.MainMode{Proposals: []ike.MainModeProposal{{Cipher: "3des-cbc", Hash: "sha1", Group: 2}}},
		quickMode: ike.QuickMode{Proposals: []ipsec.Proposal{proposal(des3)}, PolicyID: 7, Rule: "test/" + name},
		firstSPI:  uint32(seed << 24), nextSPI: map[ipsec.Protocol]uint32{}, allocated: map[said]bool{},
		in: map[said]ipsec.SAParams{}, out: map[said]ipsec.SAParams{}, early: map[said]ipsec.SAParams{},
	}
	h.config = ike.Config{
		Rand: rand.NewChaCha8([32]byte{byte(seed), byte(seed >> 8), byte(seed >> 16)}), Policy: h, SPIs: h,
		Trace: func(b trace.Body) { h.log = append(h.log, b) },
	}
	n.hosts = append(n.hosts, h)
	h.reboot()
	return h
}

// reboot loses all state but the configuration.
func (h *host) reboot() {
	m, err := mux.New(h.config)
	require.NoError(h.n.t, err)
	h.mux = m
	clear(h.in)
	clear(h.out)
	clear(h.early)
	clear(h.allocated)
}

func (h *host) MainMode(local, remote netip.Addr) (ike.MainMode, bool) {
	mm := h.mainMode
	mm.PreSharedKey = []byte(h.psk)
	return mm, !h.deaf
}

func (h *host) QuickMode(ipsec.Selector) (ike.QuickMode, bool) { return h.quickMode, !h.refuses }

func (h *host) AllocateSPI(p ipsec.Protocol) uint32 {
	h.nextSPI[p]++
	id := said{p, h.firstSPI + h.nextSPI[p]}
	h.allocated[id] = true
	return id.spi
}

func (h *host) ReleaseSPI(p ipsec.Protocol, spi uint32) {
	id := said{p, spi}
	require.True(h.n.t, h.allocated[id], "%s releases the SPI %v that it has", h.name, id)
	delete(h.allocated, id)
}

// request asks for SAs for all traffic between the hosts.
func (h *host) request(to *host) uint64 {
	return h.requestFor(to, ipsec.Selector{Src: ipsec.Host(h.addr), Dst: ipsec.Host(to.addr)})
}

func (h *host) requestFor(to *host, s ipsec.Selector) uint64 {
	h.requests++
	h.mux.Request(h.n.now, ike.Request{ID: h.requests, Local: h.addr, Remote: to.addr, Selector: s, QuickMode: h.quickMode})
	h.drain()
	return h.requests
}

// drain carries out the engine's events.
func (h *host) drain() {
	for e, ok := h.mux.NextEvent(); ok; e, ok = h.mux.NextEvent() {
		h.events = append(h.events, e)
		switch e := e.(type) {
		case ike.EventSend:
			h.n.send(e.Datagram)
		case ike.EventInbound:
			for _, in := range e.In {
				require.NotContains(h.n.t, h.early, idOf(in))
				h.early[idOf(in)] = in
			}
		case ike.EventInboundGone:
			require.Contains(h.n.t, h.early, said{e.Protocol, e.SPI}, "%s takes back what it handed over", h.name)
			delete(h.early, said{e.Protocol, e.SPI})
		case ike.EventSAs:
			for i := range e.In {
				in, out := e.In[i], e.Out[i]
				if early, ok := h.early[idOf(in)]; ok {
					require.Equal(h.n.t, early, in, "%s hands over the same SA twice", h.name)
					delete(h.early, idOf(in))
				}
				require.True(h.n.t, h.allocated[idOf(in)], "%s has allocated what it hands over", h.name)
				h.in[idOf(in)], h.out[idOf(out)] = in, out
			}
		case ike.EventDeleteSAs:
			for _, spi := range e.SPIs {
				id := said{e.Protocol, spi}
				if sa, ok := h.out[id]; ok {
					delete(h.in, said{e.Protocol, sa.PeerSPI})
					delete(h.allocated, said{e.Protocol, sa.PeerSPI})
				}
				delete(h.out, id)
			}
		case ike.EventFailed:
			h.failed = append(h.failed, e)
		}
	}
}

func (n *network) send(d ike.Datagram) {
	n.sent = append(n.sent, d)
	number := len(n.sent)
	delays := []time.Duration{n.latency}
	if n.fate != nil {
		delays = n.fate(number, d)
	}
	for _, delay := range delays {
		b := bytes.Clone(d.Payload)
		if n.alter != nil {
			b = n.alter(number, b)
		}
		n.serial++
		n.flying = append(n.flying, flight{at: n.now.Add(delay), serial: n.serial, d: ike.Datagram{Local: d.Remote, Remote: d.Local, Payload: b}})
	}
}

// run lets time pass until the given time since the start.
func (n *network) run(until time.Duration) {
	end := n.start.Add(until)
	for steps := 0; ; steps++ {
		require.Less(n.t, steps, 1_000_000, "the network comes to rest")
		next, what := end.Add(1), func() {}
		for i, f := range n.flying {
			if f.at.Before(next) || f.at.Equal(next) && i > 0 && f.serial < n.flying[0].serial {
				next, what = f.at, func() { n.arrive(i) }
			}
		}
		for _, h := range n.hosts {
			if at, ok := h.mux.NextDeadline(); ok && at.Before(next) {
				next, what = at, func() {
					h.mux.Advance(n.now)
					h.drain()
				}
			}
		}
		if next.After(end) {
			n.now = end
			return
		}
		if next.After(n.now) {
			n.now = next
		}
		what()
	}
}

func (n *network) arrive(i int) {
	f := n.flying[i]
	n.flying = slices.Delete(n.flying, i, i+1)
	for _, h := range n.hosts {
		if h.addr == f.d.Local.Addr() {
			h.mux.HandleDatagram(n.now, f.d)
			h.drain()
		}
	}
}

// wantPairs expects that each host has count pairs, that they are each other's, and that no SPI has leaked.
func (n *network) wantPairs(sentence string, count int) {
	n.t.Helper()
	a, b := n.hosts[0], n.hosts[1]
	require.Len(n.t, a.in, count, "%s: inbound SAs of %s", sentence, a.name)
	require.Len(n.t, a.out, count, "%s: outbound SAs of %s", sentence, a.name)
	require.Len(n.t, b.in, count, "%s: inbound SAs of %s", sentence, b.name)
	require.Len(n.t, b.out, count, "%s: outbound SAs of %s", sentence, b.name)
	n.wantAgreement(sentence)
}

// wantAgreement expects that whatever SAs one host has, the other has too.
func (n *network) wantAgreement(sentence string) {
	n.t.Helper()
	for i, h := range n.hosts[:2] {
		other := n.hosts[1-i]
		for id, out := range h.out {
			in, ok := other.in[id]
			require.True(n.t, ok, "%s: %s sends under %v, %s has no such SA", sentence, h.name, id, other.name)
			if out.Inner != 0 {
				require.Contains(n.t, h.out, said{ipsec.ESP, out.Inner}, "%s: %s has the whole bundle", sentence, h.name)
			}
			require.Equal(n.t, in.CipherKey, out.CipherKey, sentence)
			require.Equal(n.t, in.AuthKey, out.AuthKey, sentence)
			require.Equal(n.t, in.Selector, out.Selector, sentence)
			require.Equal(n.t, in.Transform, out.Transform, sentence)
			require.Equal(n.t, in.Lifetime, out.Lifetime, sentence)
			require.Equal(n.t, in.Src, out.Src, sentence)
			require.Equal(n.t, in.Dst, out.Dst, sentence)
			require.Equal(n.t, in.PeerSPI, out.PeerSPI, sentence)
			require.Equal(n.t, in.Inner, out.Inner, sentence)
			require.NotEqual(n.t, in.Initiator, out.Initiator, sentence)
		}
		require.Len(n.t, h.in, len(h.out), "%s: SAs of %s come in pairs", sentence, h.name)
		require.Empty(n.t, h.early, "%s: %s completes or takes back each inbound SA", sentence, h.name)
		require.Len(n.t, h.allocated, len(h.in), "%s: %s gives back the SPIs that no SA came of", sentence, h.name)
	}
}

// wantFailure expects that the host's requests failed, once each, with this phrase in the reason.
func (h *host) wantFailure(sentence, phrase string, code ike.Code) {
	h.n.t.Helper()
	require.NotEmpty(h.n.t, h.failed, sentence)
	for _, f := range h.failed {
		require.ErrorContains(h.n.t, f.Err, phrase, sentence)
		require.Equal(h.n.t, code, ike.CodeOf(f.Err), sentence)
	}
}

// traced are the records of a kind.
func traced[B trace.Body](h *host) (bs []B) {
	for _, b := range h.log {
		if v, ok := b.(B); ok {
			bs = append(bs, v)
		}
	}
	return bs
}

// negotiations are "exchange state" of the host's records, in order.
func (h *host) negotiations() (s []string) {
	for _, g := range traced[trace.Negotiation](h) {
		s = append(s, g.Exchange+" "+g.State)
	}
	return s
}

// messages are the received or sent messages as "exchange number", in order, copies marked.
func (h *host) messages(sent bool) (s []string) {
	for _, m := range traced[trace.IKEMessage](h) {
		if m.Sent == sent {
			text := fmt.Sprintf("%s %d", m.Exchange, m.Number)
			if m.Retransmit > 0 {
				text += " again"
			}
			s = append(s, text)
		}
	}
	return s
}

// noted reports whether a message's note contains the phrase.
func (h *host) noted(phrase string) bool {
	return slices.ContainsFunc(traced[trace.IKEMessage](h), func(m trace.IKEMessage) bool { return strings.Contains(m.Note, phrase) })
}

// count is how many of the events are of a type.
func count[E ike.Event](h *host) (n int) {
	for _, e := range h.events {
		if _, ok := e.(E); ok {
			n++
		}
	}
	return n
}

// first is the first event of a type, which must exist.
func first[E ike.Event](h *host) (e E) {
	h.n.t.Helper()
	for _, ev := range h.events {
		if e, ok := ev.(E); ok {
			return e
		}
	}
	require.Fail(h.n.t, "no such event", "%s: %T", h.name, e)
	return e
}

// field finds a value in the decoded payloads by the path of names.
func field(fs []trace.Field, path ...string) string {
	for _, f := range fs {
		if f.Name == path[0] {
			if len(path) == 1 {
				return f.Value
			}
			return field(f.Fields, path[1:]...)
		}
	}
	return ""
}

func exchangeOf(d ike.Datagram) payload.Exchange { return payload.Exchange(d.Payload[18]) }

func netipAddr(s string) netip.Addr { return netip.MustParseAddr(s) }
