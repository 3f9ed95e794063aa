package hosts

import (
	"fmt"
	"net/netip"
	"time"

	"github.com/ipseclab/ipseclab/esp"
	"github.com/ipseclab/ipseclab/ike"
	"github.com/ipseclab/ipseclab/ike/mux"
	"github.com/ipseclab/ipseclab/internal/ipsec"
	"github.com/ipseclab/ipseclab/sim"
)

// keying joins the data plane and IKE: acquires and expiries go down as
// requests and deletes, SAs and failures come back, and datagrams pass between
// IKE and UDP port 500 of each address. Everything happens in one event, pump.
type keying struct {
	host    *Host
	boot    int // of the host, to which it belongs
	mux     *mux.Mux
	sockets map[netip.Addr]*udpSocket

	scheduled bool       // a pump is on its way
	timer     *sim.Timer // the next deadline of either side
	due       time.Time

	statistics ike.Statistics // what the engine does not count itself

	rekeys    []*rekey
	nextRekey uint64

	answered []*answered
	alive    []*keepAlive

	falling []fallingBack // acquires, in their order
	refused []refusal
	fallDue time.Time // when the next of them may be due; zero: none
}

// isakmpPort is UDP port 500, RFC 2408, Section 2.5.1.
const isakmpPort = 500

// windows2003VendorID is MS NT5 ISAKMPOAKLEY with version 4, which Windows
// Server 2003 sends (MS-IKEE, product behaviour note 6). The vendor IDs of extensions
// that this host does not speak are not sent.
var windows2003VendorID = []byte{
	0x1e, 0x2b, 0x51, 0x69, 0x05, 0x99, 0x1c, 0x7d, 0x7c, 0x96, 0xfc, 0xbf, 0xb5, 0x87, 0xe4, 0x61, 0, 0, 0, 4,
}

func newKeying(h *Host, c Config) (*keying, error) {
	k := &keying{host: h, boot: h.boots, sockets: map[netip.Addr]*udpSocket{}, nextRekey: firstRekey}
	var preference ike.Preference
	if c.ResponderOrder {
		preference = ike.ResponderOrder
	}
	if c.VendorIDs == nil {
		c.VendorIDs, c.FastFailover = [][]byte{windows2003VendorID}, true
	}
	var err error
	k.mux, err = mux.New(ike.Config{
		Rand:      h.rand(h.agent.purpose("ike")),
		Policy:    h.agent,
		SPIs:      h.driver.esp,
		Trace:     h.record,
		Audit:     h.audited,
		VendorIDs: c.VendorIDs,

		FastFailover: c.FastFailover,

		DoSProtection:        c.DoSProtection,
		NoDoSCookie:          c.NoDoSCookie,
		MaxHalfOpen:          c.MaxHalfOpen,
		MaxHalfOpenPerSource: c.MaxHalfOpenPerSource,

		NonceLen:       c.NonceLen,
		MainModeMargin: c.MainModeMargin,
		MainModeSpread: c.MainModeSpread,

		Retransmit: c.Retransmit,

		SilentResponder: c.SilentResponder,
		Preference:      preference,
		ShortenMainMode: c.ShortenMainMode,
		ShortDurations:  c.ShortDurations,

		PFSMustMatch:     c.PFSMustMatch,
		NoInitialContact: c.NoInitialContact,
		Commit:           c.Commit,
		ProtectNotify:    c.ProtectNotify,

		ReliableDelete: c.ReliableDelete,
		Fragmentation:  c.Fragmentation,
		DPD:            c.DPD,
		NAT:            c.NAT,
		Conflict:       h.driver.conflict,
		Traffic:        h.driver.esp.Traffic,
	})
	if err != nil {
		return nil, err
	}
	return k, nil
}

// listen opens UDP port 500 of each address.
func (k *keying) listen() error {
	h := k.host
	if h.config.NoIKE {
		return nil
	}
	for _, a := range h.Addrs() {
		if err := k.listenOn(a); err != nil {
			return err
		}
	}
	return nil
}

// close ends key exchange: SAs and main modes end, peers are told, and port 500 is closed.
func (k *keying) close(reason string) {
	k.drop(reason)
	for _, a := range k.host.Addrs() {
		if s := k.sockets[a]; s != nil {
			s.close()
		}
	}
	clear(k.sockets)
	k.silence()
}

// hear opens port 500 of an address that the host has got, if its IKE runs.
func (k *keying) hear(a netip.Addr) error {
	if k.host.config.NoIKE || !k.host.agent.running {
		return nil
	}
	return k.listenOn(a)
}

// listenOn opens port 500 of an address.
func (k *keying) listenOn(a netip.Addr) error {
	local := netip.AddrPortFrom(a, isakmpPort)
	s, err := k.host.bindUDP(local)
	if err != nil {
		return fmt.Errorf("hosts: %s: binding %s: %w", k.host.name, local, err)
	}
	s.fragment()
	s.onReady(func() { k.read(local, s) })
	k.sockets[a] = s
	return nil
}

// firstRekey starts the numbers of requests that replace an SA pair, apart from
// the driver's acquires.
const firstRekey = 1 << 32

func (k *keying) read(local netip.AddrPort, s *udpSocket) {
	for {
		payload, remote, ok, err := s.receive()
		if err != nil {
			k.statistics.ReceiveFailures++
			continue // an ICMP error about an earlier datagram; retransmission deals with it
		}
		if !ok {
			break
		}
		if !k.took(local, remote, payload) {
			k.mux.HandleDatagram(k.host.world.Time(), ike.Datagram{Local: local, Remote: remote, Payload: payload})
		}
	}
	k.kick()
}

// kick has pump run as an event. It may be called under netstack's locks.
func (k *keying) kick() {
	if !k.scheduled {
		k.scheduled = true
		k.host.soon(k.pump)
	}
}

// pump carries events between the data plane and IKE until both are quiet.
func (k *keying) pump() {
	if k.scheduled = false; k.gone() {
		return
	}
	now := k.host.world.Time()
	k.mux.Advance(now)
	k.host.driver.esp.Advance(now)
	for k.fromDriver(now) || k.fromIKE(now) {
	}
	k.host.agent.retire(now)
	k.fallBackFrom(now)
	k.fallBack(now)
	k.arm(now)
}

// fromDriver carries out one event of the data plane.
func (k *keying) fromDriver(now time.Time) bool {
	event, ok := k.host.driver.esp.NextEvent()
	if !ok {
		return false
	}
	switch e := event.(type) {
	case esp.EventAcquire:
		if !k.host.agent.running {
			k.host.driver.esp.Fail(now, e.ID) // nobody is there to negotiate
			break
		}
		k.mayFallBack(now, e)
		k.acquire(now, e)
	case esp.EventSoft:
		r := &rekey{id: k.nextRekey, replaces: e.SA.PeerSPI, peer: e.SA.Dst, policyID: e.Policy.ID, selector: e.SA.Selector}
		k.nextRekey++
		k.rekeys = append(k.rekeys, r)
		k.mux.Request(now, ike.Request{
			ID: r.id, Local: e.SA.Src, Remote: e.SA.Dst, Selector: e.SA.Selector,
			QuickMode: quickModeOf(e.Policy), Replaces: e.SA.PeerSPI,
		})
	case esp.EventHard:
		k.ended(now, e.SA)
	case esp.EventMoved:
		k.mux.Moved(now, e.SA.SPI, e.To)
	}
	return true
}

func quickModeOf(p ipsec.Policy) ike.QuickMode {
	return ike.QuickMode{Proposals: p.Proposals, PFS: p.PFS, PFSGroup: p.PFSGroup, PolicyID: p.ID, Rule: p.Rule}
}

// fromIKE carries out one event of IKE.
func (k *keying) fromIKE(now time.Time) bool {
	event, ok := k.mux.NextEvent()
	if !ok {
		return false
	}
	switch e := event.(type) {
	case ike.EventSend:
		k.send(e.Datagram)
	case ike.EventInbound:
		k.add(now, e.In)
		for _, sa := range e.In {
			k.answered = append(k.answered, &answered{in: k.host.agent.responded(sa)})
		}
	case ike.EventInboundGone:
		k.host.driver.esp.Remove(now, ipsec.Inbound, e.Protocol, e.SPI, "quick mode failed")
		if a := k.takeAnswered(e.SPI); a != nil {
			for _, acquire := range a.waiting {
				k.request(now, acquire)
			}
		}
	case ike.EventSAs:
		k.install(now, e)
	case ike.EventDeleteSAs:
		k.remove(now, e)
	case ike.EventKeepAlive:
		k.keepsAlive(now, e)
	case ike.EventMoved:
		k.moved(now, e)
	case ike.EventFailed:
		if r := k.takeRekey(e.RequestID); r != nil { // the old pair lives on to its hard end
			k.fail(now, r.waiting)
			break
		}
		if !k.failed(now, e) {
			k.host.driver.esp.Fail(now, e.RequestID)
		}
	}
	return true
}

// arm sets the timer for the next deadline of either side.
func (k *keying) arm(now time.Time) {
	due, ok := k.host.driver.esp.NextDeadline()
	if t, more := k.mux.NextDeadline(); more && (!ok || t.Before(due)) {
		due, ok = t, true
	}
	if t := k.fallDue; !t.IsZero() && (!ok || t.Before(due)) {
		due, ok = t, true
	}
	if ok && k.timer != nil && due.Equal(k.due) {
		return
	}
	if k.timer != nil {
		k.timer.Stop()
		k.timer = nil
	}
	if ok {
		k.due = due
		k.timer = k.host.after(max(0, due.Sub(now)), func() {
			k.timer = nil
			k.pump()
		})
	}
}

// MainModes are the ISAKMP SAs of the host.
func (h *Host) MainModes() []mux.MainModeInfo { return h.keying.mux.MainModes() }
