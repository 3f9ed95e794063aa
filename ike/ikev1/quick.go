package ikev1

import (
	"bytes"
	"fmt"
	"slices"
	"time"

	"github.com/ipseclab/ipseclab/ike"
	"github.com/ipseclab/ipseclab/ike/payload"
	"github.com/ipseclab/ipseclab/internal/ipsec"
	"github.com/ipseclab/ipseclab/internal/suite"
)

// quickState is what a quick mode waits for.
type quickState uint8

const (
	quickAwaits2 quickState = iota + 1 // initiator: the choice from our offer
	quickAwaits3                       // responder: the proof that the initiator is alive
	quickAwaits4                       // either: CONNECTED, which the peer's commit bit has announced
	quickOver                          // either: copies of the peer's messages, for as long as it may send them
)

// quick is one quick mode, RFC 2409, Section 5.5.
type quick struct {
	sa        *SA
	mid       uint32
	initiator bool
	state     quickState
	request   ike.Request // initiator
	attempts  int         // quick modes that the request has been through, this one included
	policy    ike.QuickMode
	outbound  ipsec.Selector
	ids       [2][]byte // bodies of IDci and IDcr as sent by the initiator; nil: none
	offer     *payload.SA
	choice    ike.QuickModeChoice
	own       ownSPIs
	inbound   []ipsec.SAParams // handed over ahead of the pair
	named     payload.Proposal // the first that the peer sent, to name the exchange to it
	asked     bool             // the peer has set the commit bit
	private   *suite.PrivateKey
	ni, nr    []byte
	keyBlock  []byte         // g(qm)^xy, or nil
	derived   []derived      // keys of the SAs
	told      original       // by the peer's NAT-OA payloads
	seen      []string       // the addresses in the peer's identities that a NAT has changed
	note      string         // what was odd about an exchange that succeeded
	lifetime  ipsec.Lifetime // that RESPONDER-LIFETIME asks for
	decision  ike.Decision   // responder: about the offer, for the trace

	iv      []byte
	last    outgoing
	heard1  []byte // responder: message 1
	heard   []byte // the peer's last message
	started time.Time
	until   time.Time // quickOver: the time to forget it
}

// protocols are those that a quick mode can be about, in the order of their SPIs.
var protocols = []ipsec.Protocol{ipsec.ESP, ipsec.AH}

// ownSPIs are our inbound SPIs, by protocol; 0: none allocated.
type ownSPIs [4]uint32

// quickMode takes a message of phase 2.
//
//	1  HDR*, HASH(1), SA, Ni, [KE], [IDci, IDcr]  -->
//	2                                             <--  HDR*, HASH(2), SA, Nr, [KE], [IDci, IDcr]
//	3  HDR*, HASH(3)                              -->
func (sa *SA) quickMode(now time.Time, m *message) {
	switch {
	case sa.state != established && sa.state != lingering:
		sa.ignore(m, 0, "quick mode before the end of main mode")
		return
	case m.Flags&payload.Encrypted == 0 || m.MessageID == 0:
		sa.ignore(m, 0, "quick mode must be encrypted and have a message ID")
		return
	}
	for _, q := range sa.quicks {
		if q.mid == m.MessageID {
			q.receive(now, m)
			sa.retire(now)
			return
		}
	}
	sa.quickMessage1(now, m)
}

func (q *quick) receive(now time.Time, m *message) {
	switch {
	case bytes.Equal(m.raw, q.heard) || bytes.Equal(m.raw, q.heard1):
		q.receiveCopy(now, m)
	case q.state == quickAwaits2:
		q.message2(now, m)
	case q.state == quickAwaits3:
		q.message3(now, m)
	default:
		q.message4(now, m)
	}
}

// receiveCopy answers a copy with what answered the original, unless the peer has gone on since.
func (q *quick) receiveCopy(now time.Time, m *message) {
	number := 1
	if q.initiator {
		number = 2
	}
	if q.last.msg == nil || !bytes.Equal(m.raw, q.heard) {
		q.sa.ignore(m, 0, "a copy of a message that needs no answer any more")
		return
	}
	q.sa.heard(m, number, fmt.Sprintf("a copy of message %d: the stored answer goes out again", number))
	defer q.sa.answering(m)()
	q.sa.sendAgain(now, &q.last, fmt.Sprintf("answers a copy of message %d", number))
}

// pending reports whether the exchange is still under way.
func (q *quick) pending() bool { return q.state != quickOver }

func (q *quick) deadline() time.Time {
	if at, on := q.last.timer.Deadline(); on && (q.state != quickAwaits4 || at.Before(q.until)) {
		return at
	}
	return q.until
}

// advanceQuick does what has come due for q.
func (sa *SA) advanceQuick(now time.Time, q *quick) {
	waits := q.state == quickAwaits4
	if waits && !now.Before(q.until) {
		q.note = "CONNECTED never came"
		q.finish(now)
		sa.retire(now)
		return
	}
	switch due := q.last.timer.Advance(now); {
	case due == ike.DueCopy:
		if sa.initiator && sa.aggressive && !sa.hasEnd && sa.state == established {
			sa.sendAgain(now, &sa.last, "the responder may not have it") // message 3 has no timer
		}
		sa.sendAgain(now, &q.last, "")
	case due == ike.DueEnd && !waits:
		q.unanswered(now)
	case !waits:
		sa.forget(q)
		sa.retire(now)
	}
}

func (sa *SA) forget(q *quick) {
	for i := range sa.quicks {
		if sa.quicks[i] == q {
			sa.quicks = slices.Concat(sa.quicks[:i], sa.quicks[i+1:])
			return
		}
	}
}

// over keeps the exchange to answer copies, for as long as the peer may send them.
func (q *quick) over(now time.Time) {
	q.state = quickOver
	q.last.timer.Stop()
	q.until = now.Add(ike.Linger(q.sa.env.Config.Gaps()))
	q.private, q.keyBlock, q.derived, q.offer = nil, nil, nil, nil
}

// unanswered ends an exchange whose last message got no answer.
func (q *quick) unanswered(now time.Time) {
	sa := q.sa
	err := ike.Errorf(ike.CodeTimedOut, 0, "no response to quick mode message %d", q.last.record.Number)
	err.Hint = sa.hint
	started, silent := q.started, sa.lastHeard.Before(q.started)
	own, initiator := q.own, q.initiator
	q.fail(err)
	if !initiator {
		for _, p := range protocols {
			switch {
			case own[p] == 0:
			case sa.state == lingering:
				sa.emit(ike.EventUndelivered{Protocol: p, SPI: own[p]})
			default:
				sa.SendDelete(now, p, []uint32{own[p]})
			}
		}
	} else if silent {
		sa.emit(ike.EventPeerSilent{Since: started})
		sa.Silent(now, started)
	}
	sa.retire(now)
}

// Silent ends an established SA under which nothing genuine has come since the given time.
func (sa *SA) Silent(now, since time.Time) {
	if sa.state == established && sa.lastHeard.Before(since) {
		sa.Kill(now, "deleted", ike.Errorf(ike.CodePeerSilent, 0, "the peer does not answer under this main mode"), true)
	}
}

// fail ends the exchange, tells the host if it asked for it, and forgets everything.
func (q *quick) fail(err error) {
	q.abandon(err)
	if q.initiator {
		q.sa.emit(ike.EventFailed{RequestID: q.request.ID, Remote: q.sa.remote.Addr(), Err: err})
	}
	q.sa.forget(q)
}

// abandon ends the exchange without a word to anybody but the trace.
func (q *quick) abandon(err error) {
	q.negotiated("failed", err)
	for _, in := range q.inbound {
		q.sa.emit(ike.EventInboundGone{Protocol: in.Protocol, SPI: in.SPI})
	}
	q.inbound = nil
	for _, p := range protocols {
		q.release(p)
	}
	q.state = quickOver
	q.last.timer.Stop()
}

// spiOf is our inbound SPI under the protocol, allocated when it is first asked for.
func (q *quick) spiOf(p ipsec.Protocol) uint32 {
	if q.own[p] == 0 {
		s := &q.sa.env.Statistics
		s.TotalGetSPI++
		if q.own[p] = q.sa.env.Config.SPIs.AllocateSPI(p); q.own[p] == 0 {
			s.GetSPIFailures++
		}
	}
	return q.own[p]
}

func (q *quick) release(p ipsec.Protocol) {
	if q.own[p] != 0 {
		q.sa.env.Config.SPIs.ReleaseSPI(p, q.own[p])
		q.own[p] = 0
	}
}

func (q *quick) negotiated(state string, err error) {
	q.audit(state, err)
	if q.sa.env.Config.Trace == nil {
		return
	}
	n := q.sa.negotiation("quick mode", state, q.initiator, err)
	n.Selector, n.MessageID = q.outbound.String(), q.mid
	if outcome(state) {
		q.explain(&n, err)
	}
	if len(q.choice.Proposal.Transforms) > 0 {
		n.Chosen = q.choice.String()
	}
	q.sa.env.Config.Record(n)
}

// StartQuickMode sends message 1 for the request. attempts counts this quick mode.
func (sa *SA) StartQuickMode(now time.Time, r ike.Request, attempts int) {
	q := &quick{
		sa: sa, initiator: true, state: quickAwaits2, request: r, attempts: attempts, policy: r.QuickMode,
		outbound: r.Selector, started: now,
	}
	sa.quickModes++
	sa.quicks = append(sa.quicks, q)
	if err := q.start(now); err != nil {
		q.fail(err)
		sa.retire(now)
	}
}

func (q *quick) start(now time.Time) error {
	sa, cfg := q.sa, q.sa.env.Config
	if err := q.narrow(); err != nil {
		return err
	}
	q.negotiated("started", nil)
	var err error
	if q.mid, err = sa.newMessageID(); err != nil {
		return err
	}
	sa.used[usedID{payload.QuickMode, q.mid}] = struct{}{}
	if q.ni, err = cfg.Random(cfg.NonceLength()); err != nil {
		return err
	}
	q.policy.PrivateGroup, q.policy.UDP = sa.privateNumber(), sa.encapsulation()
	group := q.policy.PFSGroupUnder(sa.choice.Proposal.Group)
	if q.offer, err = ike.OfferQuickMode(q.policy, group, q.spiOf); err != nil {
		return err
	}
	cfg.Form(q.offer)
	ps := []payload.Payload{q.offer, payload.Nonce{Data: q.ni}}
	if group != 0 {
		if q.private, err = sa.groupNumbered(group).GenerateKey(cfg.Rand); err != nil {
			return err
		}
		ps = append(ps, payload.KeyExchange{Data: q.private.Public()})
	}
	s := q.outbound
	for i, id := range []payload.ID{payload.SelectorID(s.Src, s.Proto, s.SrcPort), payload.SelectorID(s.Dst, s.Proto, s.DstPort)} {
		q.ids[i] = payload.Body(id)
		ps = append(ps, id)
	}
	if ike.OffersUDPTransport(q.offer) {
		ps = append(ps, q.originals()...)
	}
	var msg []byte
	msg, q.iv, ps = sa.hashed(payload.QuickMode, q.mid, sa.firstIV(q.mid), sa.hash1(q.mid), ps...)
	sa.send(now, &q.last, msg, 1, true, "", ps...)
	return nil
}

// saPairs are the result of the exchange, after both sides have agreed: a pair
// per protocol, innermost first.
func (q *quick) saPairs() (in, out []ipsec.SAParams) {
	local, remote, udp := q.sa.local.Addr(), q.sa.remote.Addr(), q.udp()
	var inner ownSPIs // of the SA one layer down, by direction
	for i, t := range q.choice.Proposal.Transforms {
		o := ipsec.SAParams{
			Direction: ipsec.Outbound, Protocol: t.Protocol, SPI: q.choice.PeerSPIs[i], Src: local, Dst: remote,
			Mode: q.choice.Proposal.Mode, Transform: t, Selector: q.outbound, PolicyID: q.policy.PolicyID, Rule: q.policy.Rule,
			Lifetime: q.choice.Proposal.Lifetime, PeerSPI: q.own[t.Protocol], Initiator: q.initiator, PeerID: q.sa.peerID, UDP: udp,
		}
		n := o
		n.Direction, n.SPI, n.PeerSPI = ipsec.Inbound, o.PeerSPI, o.SPI
		n.Src, n.Dst, n.Selector = remote, local, q.outbound.Reverse()
		n.UDP.Src, n.UDP.Dst = udp.Dst, udp.Src
		if udp.On() && o.Mode == ipsec.Transport {
			o.OriginalSrc, o.OriginalDst = local, remote
			from := q.originalOf()
			n.OriginalSrc, n.OriginalDst = from.src, from.dst
		}
		for _, p := range []*ipsec.SAParams{&n, &o} {
			p.Inner, inner[p.Direction] = inner[p.Direction], p.SPI
			p.CipherKey, p.AuthKey = q.keysOf(t, p.SPI)
		}
		in, out = append(in, n), append(out, o)
	}
	return in, out
}

// derived are the keys of one SA, and what they were made of beside the initiator's nonce.
type derived struct {
	transform          ipsec.Transform
	spi                uint32
	gxy, nr            []byte
	cipherKey, authKey []byte
}

// keysOf are the keys of one SA, derived once: they are looked at before they are used,
// and the responder hands over the inbound SAs first.
func (q *quick) keysOf(t ipsec.Transform, spi uint32) (cipherKey, authKey []byte) {
	for _, d := range q.derived {
		if d.transform == t && d.spi == spi && bytes.Equal(d.gxy, q.keyBlock) && bytes.Equal(d.nr, q.nr) {
			return d.cipherKey, d.authKey
		}
	}
	cipherKey, authKey = q.sa.keys.saKeys(t, q.keyBlock, spi, q.ni, q.nr)
	q.derived = append(q.derived, derived{t, spi, q.keyBlock, q.nr, cipherKey, authKey})
	return cipherKey, authKey
}

// finish hands the pairs over.
func (q *quick) finish(now time.Time) {
	in, out := q.saPairs()
	q.inbound = nil
	q.negotiated("established", nil)
	q.sa.emit(ike.EventSAs{RequestID: q.request.ID, Replaces: q.request.Replaces, In: in, Out: out})
	q.over(now)
}
