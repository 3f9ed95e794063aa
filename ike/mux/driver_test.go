package mux_test

import (
	"cmp"
	"maps"
	"math/rand/v2"
	"net/netip"
	"slices"

	"github.com/ipseclab/ipseclab/ike"
	"github.com/ipseclab/ipseclab/ike/mux"
	"github.com/ipseclab/ipseclab/internal/ipsec"
)

// driver does with a host's SAs what its data plane would: pairs may ask for a
// successor before they end, end with their lifetime, and are deleted now and
// then. The peer is told of each end.
type driver struct {
	h, peer *host
	rand    *rand.Rand
	rekeys  bool // pairs ask for successors
}

func (h *host) drive(peer *host, seed uint64) {
	h.driver = &driver{h: h, peer: peer, rand: rand.New(rand.NewPCG(seed, 2)), rekeys: true}
}

// established starts the life of the pairs of one quick mode. A successor is
// asked for after nine tenths of it, more often by the side that asked for the
// first: fewer than one for each pair, so that a schedule comes to rest.
func (d *driver) established(e ike.EventSAs) {
	pair, life := e.In[0], e.In[0].Lifetime.Duration
	successor := d.rand.IntN(8) == 0
	if pair.Initiator {
		successor = !successor && d.rand.IntN(4) > 0
	}
	if successor {
		d.h.n.after(life/10*9, func() {
			if in, alive := d.h.in[idOf(pair)]; alive && d.rekeys {
				d.h.replace(d.peer, in.Selector.Reverse(), pair.SPI)
			}
		})
	}
	d.h.n.after(life, func() { d.end(e.In, "expired") })
}

// end removes the SAs of one quick mode, as far as they are there, and tells the peer.
func (d *driver) end(ins []ipsec.SAParams, why string) {
	for _, in := range ins {
		if _, alive := d.h.in[idOf(in)]; alive {
			src := d.h.in[idOf(in)].Src
			d.h.remove(idOf(in), why)
			d.h.mux.DeleteSAs(d.h.n.now, src, in.Protocol, []uint32{in.SPI})
		}
	}
	d.h.drain()
}

// endSome ends one quick mode's SAs at random, as an administrator would.
func (d *driver) endSome() {
	ids := d.ids()
	if len(ids) == 0 {
		return
	}
	in := d.h.in[ids[d.rand.IntN(len(ids))]]
	ins := []ipsec.SAParams{in}
	for _, other := range d.h.in {
		if in.Inner != 0 && idOf(other) == (said{ipsec.ESP, in.Inner}) || other.Inner == in.SPI && other.Protocol != in.Protocol {
			ins = append(ins, other)
		}
	}
	d.end(ins, "deleted")
}

// endAll ends all SAs and main modes, as a change of policy does.
func (d *driver) endAll() {
	for _, id := range d.ids() {
		d.end([]ipsec.SAParams{d.h.in[id]}, "deleted")
	}
	d.h.mux.Shutdown(d.h.n.now)
	d.h.drain()
}

func (d *driver) ids() []said {
	return slices.SortedFunc(maps.Keys(d.h.in), func(a, b said) int {
		return cmp.Or(cmp.Compare(a.spi, b.spi), cmp.Compare(a.protocol, b.protocol))
	})
}

// heard reports whether the peer has each main mode that this host has, and there
// is one: then it hears a Delete, under whichever of them.
func (d *driver) heard() bool {
	established := func(m mux.MainModeInfo) bool { return m.Established }
	peers := map[ike.Cookies]bool{}
	for _, m := range d.peer.mux.MainModes() {
		peers[m.Cookies] = established(m)
	}
	own := d.h.mux.MainModes()
	if slices.ContainsFunc(own, func(m mux.MainModeInfo) bool { return m.Established && !d.h.n.reaches(m.RemoteEnd, d.peer) }) {
		return false
	}
	return slices.ContainsFunc(own, established) && !slices.ContainsFunc(own, func(m mux.MainModeInfo) bool { return m.Established && !peers[m.Cookies] })
}

// knownHere reports whether the peer has the pair of an inbound SA with this host where it is now: one that it
// has with a place behind a NAT from before is, for all that the peer knows, somebody else's.
func (d *driver) knownHere(id said) bool {
	out, ok := d.peer.out[id]
	return !ok || !out.UDP.On() || d.h.n.reaches(netip.AddrPortFrom(out.Dst, out.UDP.Dst), d.h)
}
