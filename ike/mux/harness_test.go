package mux_test

import (
	"bytes"
	"math/rand/v2"
	"net/netip"
	"slices"
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
	tasks   []task
	serial  int
	sent    []ike.Datagram
	taken   bool           // in runs that look for it: the receiver has not ignored the latest datagram
	arrived []ike.Datagram // that were not ignored, as the receiver saw them
	listens bool           // heard is kept
	heard   []ike.Datagram // all that has arrived, as the receivers saw it
	latency time.Duration
	// fate says when copies of the nth datagram (from 1) arrive, after its sending; empty: lost. nil: once, after latency.
	fate func(n int, d ike.Datagram) []time.Duration
	// translate is a translator of addresses on the way; nil: there is none.
	translate func(d ike.Datagram) ike.Datagram
	boxes     []*box // NATs, each before the hosts that it has inside
	// rewrite may change what a host sends; nil: nothing.
	rewrite func(d ike.Datagram) []byte
	// alter may change what arrives; nil: nothing.
	alter func(n int, b []byte) []byte
}

type flight struct {
	at     time.Time
	serial int
	d      ike.Datagram // as the receiver sees it
}

// task is something to be done at a time.
type task struct {
	at time.Time
	do func()
}

// host is an engine with the little of a data plane that the tests look at.
type host struct {
	n         *network
	name      string
	addr      netip.Addr
	config    ike.Config
	mux       *mux.Mux
	psk       string
	xauth     *ike.XAuth
	auth      []ike.Auth // nil: the pre-shared key
	wallet    *wallet    // of auth, where it takes certificates
	mainMode  ike.MainMode
	quickMode ike.QuickMode
	deaf      bool // no rule for anybody
	refuses   bool // no rule negotiates

	firstSPI  uint32
	nextSPI   map[ipsec.Protocol]uint32 // counted apart, so that the protocols use the same numbers
	allocated map[said]bool             // and not released
	in, out   map[said]ipsec.SAParams
	early     map[said]ipsec.SAParams // handed over by EventInbound, the pair still to come
	gone      map[said]farewell       // inbound SAs that it had
	driver    *driver                 // nil: SAs live for ever
	alive     map[route]bool          // with keep-alives
	log       []trace.Body
	events    []ike.Event
	failed    []ike.EventFailed
	requests  uint64
	forgotten uint64    // requests up to this number may have been lost in a restart
	alarm     time.Time // in a crowd: the deadline that is noted
}

// said names an SA of one direction.
type said struct {
	protocol ipsec.Protocol
	spi      uint32
}

// farewell is the end of an SA.
type farewell struct {
	why  string
	at   time.Time
	told bool // the peer could be told: the two had the same main modes
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
		in: map[said]ipsec.SAParams{}, out: map[said]ipsec.SAParams{}, early: map[said]ipsec.SAParams{}, gone: map[said]farewell{},
		alive: map[route]bool{},
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
	for id := range h.in {
		h.remove(id, "restart")
	}
	for id := range h.early {
		h.gone[id] = farewell{why: "restart", at: h.n.now}
	}
	m, err := mux.New(h.config)
	require.NoError(h.n.t, err)
	h.mux = m
	clear(h.early)
	clear(h.allocated)
	clear(h.alive)
}

// remove ends the pair of an inbound SA.
func (h *host) remove(id said, why string) {
	delete(h.out, said{id.protocol, h.in[id].PeerSPI})
	delete(h.in, id)
	delete(h.allocated, id)
	h.bury(id, why)
}

func (h *host) bury(id said, why string) {
	h.gone[id] = farewell{why: why, at: h.n.now, told: h.driver != nil && h.driver.heard() && h.driver.knownHere(id)}
}

func (h *host) MainMode(local, remote netip.Addr) (ike.MainMode, bool) {
	mm := h.mainMode
	if mm.Auth = h.auth; mm.Auth == nil {
		mm.Auth = []ike.Auth{{Method: ike.PreSharedKey, PreSharedKey: []byte(h.psk), XAuth: h.xauth}}
	}
	return mm, !h.deaf
}

func (h *host) QuickMode(netip.Addr, ipsec.Selector) (ike.QuickMode, bool) {
	return h.quickMode, !h.refuses
}

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
	return h.requestFor(to, ipsec.Selector{Src: ipsec.Host(h.addr), Dst: ipsec.Host(h.n.seen(to, h))})
}

func (h *host) requestFor(to *host, s ipsec.Selector) uint64 { return h.replace(to, s, 0) }

// replace asks for SAs in place of the pair with an inbound SPI.
func (h *host) replace(to *host, s ipsec.Selector, old uint32) uint64 {
	h.requests++
	remote := h.n.seen(to, h)
	if old != 0 {
		remote = h.in[said{ipsec.ESP, old}].Src // as it is now, if it has moved
		if _, ok := h.in[said{ipsec.ESP, old}]; !ok {
			remote = h.in[said{ipsec.AH, old}].Src
		}
	}
	h.mux.Request(h.n.now, ike.Request{ID: h.requests, Local: h.addr, Remote: remote, Selector: s, QuickMode: h.quickMode, Replaces: old})
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
				_, again := h.early[idOf(in)]
				require.False(h.n.t, again, "%s hands over %v once", h.name, idOf(in))
				h.early[idOf(in)] = in
			}
		case ike.EventInboundGone:
			require.Contains(h.n.t, h.early, said{e.Protocol, e.SPI}, "%s takes back what it handed over", h.name)
			delete(h.early, said{e.Protocol, e.SPI})
			h.bury(said{e.Protocol, e.SPI}, "quick mode failed")
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
			if h.driver != nil {
				h.driver.established(e)
			}
		case ike.EventMoved:
			h.moved(e)
		case ike.EventKeepAlive:
			h.keptAlive(e)
		case ike.EventDeleteSAs:
			for _, spi := range e.SPIs {
				if sa, ok := h.out[said{e.Protocol, spi}]; ok && (!sa.UDP.On() || sa.UDP.Dst == e.Port) {
					h.remove(said{e.Protocol, sa.PeerSPI}, "deleted by the peer")
				}
			}
		case ike.EventFailed:
			h.failed = append(h.failed, e)
		}
	}
}

func (n *network) send(d ike.Datagram) {
	if n.rewrite != nil {
		d.Payload = n.rewrite(d)
	}
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
		n.fly(ike.Datagram{Local: d.Local, Remote: d.Remote, Payload: b}, delay)
	}
}

// fly has a datagram arrive after a delay, whoever sent it.
func (n *network) fly(d ike.Datagram, delay time.Duration) {
	if n.translate != nil {
		d = n.translate(d)
	}
	for _, b := range n.boxes {
		d = b.out(d)
	}
	for _, b := range n.boxes {
		var ok bool
		if d, ok = b.in(d); !ok {
			return
		}
	}
	n.hand(ike.Datagram{Local: d.Remote, Remote: d.Local, Payload: d.Payload}, delay)
}

// hand has a datagram arrive as its receiver sees it.
func (n *network) hand(d ike.Datagram, delay time.Duration) {
	n.serial++
	n.flying = append(n.flying, flight{at: n.now.Add(delay), serial: n.serial, d: d})
}

// run lets time pass until the given time since the start.
func (n *network) run(until time.Duration) {
	end := n.start.Add(until)
	for steps := 0; ; steps++ {
		require.Less(n.t, steps, 100_000, "the network comes to rest")
		next, what := end.Add(1), func() {}
		for i, f := range n.flying {
			if f.at.Before(next) || f.at.Equal(next) && i > 0 && f.serial < n.flying[0].serial {
				next, what = f.at, func() { n.arrive(i) }
			}
		}
		for i, t := range n.tasks {
			if t.at.Before(next) {
				next, what = t.at, func() {
					n.tasks = slices.Delete(n.tasks, i, i+1)
					t.do()
				}
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

// after has something done later.
func (n *network) after(d time.Duration, do func()) {
	n.tasks = append(n.tasks, task{n.now.Add(d), do})
}

func (n *network) arrive(i int) {
	f := n.flying[i]
	n.flying = slices.Delete(n.flying, i, i+1)
	n.taken = false
	if n.listens {
		n.heard = append(n.heard, f.d)
	}
	n.deliver(f.d)
	if n.taken {
		n.arrived = append(n.arrived, f.d)
	}
}

// deliver hands a datagram to the host that has its address.
func (n *network) deliver(d ike.Datagram) {
	for _, h := range n.hosts {
		if h.addr == d.Local.Addr() {
			h.mux.HandleDatagram(n.now, d)
			h.drain()
		}
	}
}

func exchangeOf(d ike.Datagram) payload.Exchange { return payload.Exchange(d.Payload[18]) }

func netipAddr(s string) netip.Addr { return netip.MustParseAddr(s) }

func netipPort(s string) netip.AddrPort { return netip.AddrPortFrom(netip.MustParseAddr(s), 500) }
