package ikev1

import (
	"encoding/binary"
	"time"

	"github.com/ipseclab/ipseclab/ike"
	"github.com/ipseclab/ipseclab/ike/payload"
	"github.com/ipseclab/ipseclab/internal/ipsec"
)

// quickMessage1 starts a quick mode as the responder. Nothing is kept unless HASH(1) verifies.
func (sa *SA) quickMessage1(now time.Time, m *message) {
	if _, again := sa.used[usedID{m.Exchange, m.MessageID}]; again {
		sa.ignore(m, 0, "its message ID has been used")
		return
	}
	iv := sa.firstIV(m.MessageID)
	if err := m.authenticate(sa.keys, iv, sa.hash1(m.MessageID)); err != nil {
		sa.ignore(m, 0, "quick mode message 1: "+err.Error())
		return
	}
	// "… a SA payload MUST immediately follow the HASH", RFC 2409, Section 5.5. This may be an informational message
	// that somebody gave out as quick mode: no hash covers the exchange type.
	if len(m.chain) < 2 || m.chain[1].Payload.Type() != payload.TypeSA {
		sa.ignore(m, 0, "quick mode message 1 without an SA payload behind the hash")
		return
	}
	sa.genuine(now, m)
	switch {
	case sa.state == lingering:
		// Our Delete crossed it, or was lost.
		sa.ignore(m, 1, "this main mode has been deleted")
		if sa.farewell.msg != nil {
			defer sa.answering(m)()
			sa.sendAgain(now, &sa.farewell, "answers a quick mode under a main mode that has been deleted")
		}
		return
	case sa.spent():
		// The peer allows more quick modes per main mode than we do: a Delete makes it start afresh.
		sa.ignore(m, 1, "the quick modes of this main mode are used up")
		sa.retire(now)
		return
	}
	pending := 0
	for _, q := range sa.quicks {
		if !q.initiator && q.pending() {
			pending++
		}
	}
	if pending >= maxPeerQuickModes {
		sa.ignore(m, 1, "the peer has too many quick modes under way")
		return
	}
	sa.heard(m, 1, "")
	sa.open(now, m)
	q := &quick{
		sa: sa, mid: m.MessageID, state: quickAwaits3, iv: m.nextIV, heard: m.raw, heard1: m.raw, started: now, asked: m.Flags&payload.Commit != 0,
	}
	sa.quicks = append(sa.quicks, q)
	sa.quickModes++
	if err := q.respond(now, m); err != nil {
		q.refuseOffer(now, err)
	}
}

// refuseOffer fails the exchange with a protected notification, which is kept:
// a copy of message 1 gets it again, as notifications are not sent on a schedule.
func (q *quick) refuseOffer(now time.Time, err error) {
	q.abandon(err)
	q.sa.quickModes--
	if n := ike.NotifyOf(err); n != 0 {
		q.last = q.notify(now, n)
	}
	q.over(now)
}

// notify refuses what the peer sent, naming the SPI that it can find its exchange by: one of its own.
func (q *quick) notify(now time.Time, n payload.NotifyType) outgoing {
	if len(q.named.SPI) != 4 {
		q.named = payload.Proposal{Protocol: payload.ProtocolESP}
	}
	return q.sa.sendNotify(now, n, q.named.Protocol, q.named.SPI)
}

func (q *quick) respond(now time.Time, m *message) error {
	sa, cfg := q.sa, q.sa.env.Config
	if err := q.readOffer(m); err != nil {
		q.negotiated("started", nil)
		return err
	}
	q.negotiated("started", nil)
	var ok bool
	if q.policy, ok = cfg.Policy.QuickMode(sa.remote.Addr(), q.outbound); !ok {
		return ike.Errorf(ike.CodeNoPolicy, payload.NotifyInvalidIDInformation, "no rule negotiates for %v", q.outbound)
	}
	q.policy.PFSless, q.policy.PrivateGroup, q.policy.UDP = cfg.PFSMustMatch, sa.privateNumber(), sa.encapsulation()
	var err error
	q.choice, err = ike.SelectQuickMode(q.offer, q.policy, sa.choice.Proposal.Group, cfg.Preference)
	q.judged()
	if err != nil {
		return err
	}
	// In transport mode nobody negotiates for somebody else (RFC 2409, Section 5.5: identities of clients need a tunnel).
	if s := q.outbound; q.choice.Proposal.Mode == ipsec.Transport && (s.Src != ipsec.Host(sa.local.Addr()) || s.Dst != ipsec.Host(sa.remote.Addr())) {
		return ike.Errorf(ike.CodeIDPayload, payload.NotifyInvalidIDInformation, "transport mode for %v, which are not the two peers", s)
	}
	if q.choice.InUDP() {
		if err := sa.checkUDP(); err != nil {
			return err
		}
	}
	if why := q.conflict(); why != "" {
		return ike.Errorf(ike.CodePolicyMatch, payload.NotifyNoProposalChosen, "%s", why)
	}
	public, err := q.answerKeyExchange(m)
	if err != nil {
		return err
	}
	ps := []payload.Payload{q.choice.Reply(q.spiOf)}
	if err := q.drawNonce(); err != nil {
		return err
	}
	if q.choice.Shortened {
		for _, t := range q.choice.Proposal.Transforms {
			spi := binary.BigEndian.AppendUint32(nil, q.spiOf(t.Protocol))
			ps = append(ps, cfg.ResponderLifetime(payload.ProtocolID(t.Protocol), spi, q.choice.Proposal.Lifetime))
		}
	}
	ps = append(ps, payload.Nonce{Data: q.nr})
	if public != nil {
		ps = append(ps, payload.KeyExchange{Data: public})
	}
	for _, id := range payload.All[payload.ID](m.chain) {
		ps = append(ps, id)
	}
	if q.choice.InUDP() && q.choice.Proposal.Mode == ipsec.Transport {
		ps = append(ps, q.originals()...)
	}
	var msg []byte
	msg, q.iv, ps = sa.hashed(payload.QuickMode, q.mid, q.iv, q.hash2, ps...)
	if cfg.Commit {
		payload.SetFlags(msg, payload.Encrypted|payload.Commit)
	}
	sa.send(now, &q.last, msg, 2, true, "", ps...)
	q.handInbound()
	return nil
}

// handInbound hands over the inbound SAs before the pair is complete.
func (q *quick) handInbound() {
	q.inbound, _ = q.saPairs()
	q.sa.emit(ike.EventInbound{In: q.inbound})
}

// readOffer reads message 1. Identities may be missing when they would be the
// peers' addresses with any protocol and port, RFC 2409, Section 5.5.
func (q *quick) readOffer(m *message) error {
	local, remote := q.sa.local.Addr(), q.sa.remote.Addr()
	q.outbound = ipsec.Selector{Src: ipsec.Host(local), Dst: ipsec.Host(remote)}
	if m.malformed != nil {
		return m.malformed
	}
	offer, _, err := payload.One[*payload.SA](m.chain)
	if err != nil {
		return err
	}
	q.offer, q.named = offer, offer.Proposals[0]
	nonce, _, err := payload.One[payload.Nonce](m.chain)
	if err != nil {
		return err
	}
	q.ni = nonce.Data
	if err := q.readOriginals(m); err != nil {
		return err
	}
	ids := payload.All[payload.ID](m.chain)
	if len(ids) == 0 {
		return nil
	}
	if len(ids) != 2 {
		return ike.Errorf(ike.CodeIDPayload, payload.NotifyInvalidIDInformation, "%d identities in quick mode, must be two or none", len(ids))
	}
	theirs, err := ids[0].Prefix()
	if err != nil {
		return err
	}
	ours, err := ids[1].Prefix()
	if err != nil {
		return err
	}
	// One selector has one protocol for both ends; 0 at one end leaves it to the other.
	proto := ids[0].Protocol
	if proto == 0 {
		proto = ids[1].Protocol
	}
	q.outbound = ipsec.Selector{Src: ours, Dst: theirs, Proto: proto, SrcPort: ids[1].Port, DstPort: ids[0].Port}
	if ids[1].Protocol != proto && ids[1].Protocol != 0 || theirs.Addr().Is4() != ours.Addr().Is4() {
		return ike.Errorf(ike.CodeIDPayload, payload.NotifyInvalidIDInformation, "identities %v and %v do not fit together", ids[0], ids[1])
	}
	q.see()
	return nil
}

// answerKeyExchange does the responder's half of PFS, RFC 2409, Section 5.5. public is nil without it.
func (q *quick) answerKeyExchange(m *message) (public []byte, err error) {
	peer, err := q.peerKE(m)
	if err != nil || peer == nil {
		return nil, err
	}
	if q.private, err = q.sa.groupNumbered(q.choice.Group).GenerateKey(q.sa.env.Config.Rand); err != nil {
		return nil, err
	}
	public = q.private.Public()
	return public, q.share(peer)
}

// peerKE is the peer's public value: there must be one exactly if the chosen transform names a group.
func (q *quick) peerKE(m *message) ([]byte, error) {
	kes := payload.All[payload.KeyExchange](m.chain)
	if (q.choice.Group != 0) != (len(kes) == 1) || len(kes) > 1 {
		return nil, ike.Errorf(ike.CodeKEPayload, payload.NotifyInvalidKeyInformation, "%d KE payloads for a transform with PFS group %d", len(kes), q.choice.Group)
	}
	if len(kes) == 0 {
		return nil, nil
	}
	return kes[0].Data, nil
}

func (q *quick) share(peer []byte) error {
	var err error
	if q.keyBlock, err = q.private.Shared(peer); err != nil {
		return ike.Errorf(ike.CodeKEPayload, payload.NotifyInvalidKeyInformation, "%v", err)
	}
	return nil
}

// hash2 is HASH(2), RFC 2409, Section 5.5.
func (q *quick) hash2(rest []byte) []byte {
	return q.sa.keys.hash.PRF(q.sa.keys.a, messageID(q.mid), q.ni, rest)
}

// hash3 is HASH(3), which covers nothing of its own message, RFC 2409, Section 5.5.
func (q *quick) hash3([]byte) []byte {
	return q.sa.keys.hash.PRF(q.sa.keys.a, []byte{0}, messageID(q.mid), q.ni, q.nr)
}

// message2 is the responder's choice. A genuine one that breaks the rules ends the exchange.
func (q *quick) message2(now time.Time, m *message) {
	sa := q.sa
	if err := m.authenticate(sa.keys, q.iv, q.hash2); err != nil {
		sa.ignore(m, 0, "quick mode message 2: "+err.Error())
		return
	}
	sa.heard(m, 2, "")
	q.genuine(now, m)
	sa.arrived(now, m)
	if err := q.readChoice(m); err != nil {
		if n := ike.NotifyOf(err); n != 0 {
			q.notify(now, n)
		}
		q.fail(err)
		return
	}
	if err := q.weakKey(); err != nil {
		q.again(now, err)
		return
	}
	for _, p := range protocols {
		if q.choice.PeerSPI(p) == 0 {
			q.release(p) // offered, and not taken
		}
	}
	q.heard, q.iv = m.raw, m.nextIV
	var msg []byte
	var ps []payload.Payload
	msg, q.iv, ps = sa.hashed(payload.QuickMode, q.mid, q.iv, q.hash3)
	sa.send(now, &q.last, msg, 3, q.asked, "", ps...)
	if q.asked {
		q.handInbound() // what the peer sends may overtake its CONNECTED
		q.awaitConnected(now)
		return
	}
	q.finish(now)
}

func (q *quick) readChoice(m *message) error {
	if m.malformed != nil {
		return m.malformed
	}
	reply, _, err := payload.One[*payload.SA](m.chain)
	if err != nil {
		return err
	}
	q.named = reply.Proposals[0]
	if q.choice, err = ike.MatchQuickMode(reply, q.offer); err != nil {
		return err
	}
	nonce, _, err := payload.One[payload.Nonce](m.chain)
	if err != nil {
		return err
	}
	q.nr = nonce.Data
	if err := q.readOriginals(m); err != nil {
		return err
	}
	var ids []payload.Item
	for _, item := range m.chain {
		if item.Payload.Type() == payload.TypeID {
			ids = append(ids, item)
		}
	}
	// They may be left out again, for any protocol and port between the peers themselves.
	if len(ids) != 0 && (len(ids) != 2 || !q.sameIdentities(ids)) {
		return ike.Errorf(ike.CodeIDPayload, payload.NotifyInvalidIDInformation, "responder changed the identities of the quick mode")
	}
	peer, err := q.peerKE(m)
	if err != nil {
		return err
	}
	if peer != nil {
		if err := q.share(peer); err != nil {
			return err
		}
	}
	for _, n := range payload.All[payload.Notify](m.chain) {
		if n.NotifyType == payload.NotifyResponderLifetime && n.Protocol != payload.ProtocolISAKMP {
			if err := q.shorten(n); err != nil {
				return err
			}
		}
	}
	q.choice.Proposal.Lifetime = ike.Shorter(q.choice.Proposal.Lifetime, q.lifetime)
	return nil
}

// shorten takes a RESPONDER-LIFETIME, which may come before message 2 too; a longer lifetime than the offered one is not taken.
func (q *quick) shorten(n payload.Notify) error {
	l, err := ike.ReadResponderLifetime(n)
	if err == nil {
		q.lifetime = ike.Shorter(q.lifetime, l)
	}
	return err
}
