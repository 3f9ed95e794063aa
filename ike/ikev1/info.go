package ikev1

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/ipseclab/ipseclab/ike"
	"github.com/ipseclab/ipseclab/ike/payload"
	"github.com/ipseclab/ipseclab/internal/ipsec"
)

// informational takes a message of an informational exchange, RFC 2409, Section 5.7.
func (sa *SA) informational(now time.Time, m *message) {
	if m.Flags&payload.Encrypted == 0 {
		if !sa.echo(now, m) {
			sa.unprotected(m)
		}
		return
	}
	if sa.keys == nil || m.MessageID == 0 || m.CookieR != sa.cookies.Responder {
		sa.ignore(m, 0, "encrypted, but no keys for it")
		return
	}
	for _, q := range sa.quicks {
		if q.mid == m.MessageID && q.state >= quickAwaits4 {
			q.message4(now, m)
			sa.retire(now)
			return
		}
	}
	if sa.acknowledged(now, m) {
		return
	}
	if _, again := sa.used[usedID{m.Exchange, m.MessageID}]; again || len(sa.used) >= maxMessageIDs {
		sa.ignore(m, 0, "its message ID has been used")
		return
	}
	err := m.authenticate(sa.keys, sa.firstIV(m.MessageID), sa.hash1(m.MessageID))
	if err != nil && !sa.early(m) {
		sa.ignore(m, 0, "informational: "+err.Error())
		return
	}
	sa.open(now, m)
	first := !sa.hasEnd
	sa.genuine(now, m)
	sa.heard(m, 1, sa.outOfTurn(m.chain))
	sa.acknowledge(now, m)
	for _, item := range m.chain {
		switch p := item.Payload.(type) {
		case payload.Notify:
			switch {
			case p.NotifyType.Error():
				sa.refusedByPeer(p, first)
			case p.NotifyType == payload.NotifyRUThere, p.NotifyType == payload.NotifyRUThereAck:
				sa.alive(now, p)
			default:
				sa.status(p)
			}
		case payload.Delete:
			sa.deletedByPeer(now, p)
		}
		if sa.state == dead {
			return
		}
	}
	sa.retire(now)
}

// unprotected keeps what a notification in the clear says as a hint: nothing proves who sent it.
func (sa *SA) unprotected(m *message) {
	if err := m.parse(); err != nil {
		sa.ignore(m, 0, "unprotected and malformed")
		return
	}
	var names []string
	for _, n := range payload.All[payload.Notify](m.chain) {
		if len(names) < 4 {
			names = append(names, n.NotifyType.String())
		}
	}
	if len(names) > 0 {
		sa.hint = strings.Join(names, ", ")
	}
	sa.ignore(m, 1, "it is not protected, so it is only kept as a hint")
}

// status takes a protected status notification.
func (sa *SA) status(n payload.Notify) {
	switch {
	case n.NotifyType == payload.NotifyInitialContact && sa.state == configuring:
		sa.contact = true
	case n.NotifyType == payload.NotifyInitialContact && sa.state == established:
		sa.emit(ike.EventInitialContact{})
	case n.NotifyType == payload.NotifyResponderLifetime && n.Protocol == payload.ProtocolISAKMP && (sa.state == established || sa.state == configuring):
		l, err := ike.ReadResponderLifetime(n)
		if err != nil {
			return
		}
		if l.Duration > 0 && l.Duration < sa.lifetime {
			sa.endAfter(l.Duration)
		}
		sa.choice.Kilobytes = ike.Shorter(l, ipsec.Lifetime{Kilobytes: sa.choice.Kilobytes}).Kilobytes
	case n.NotifyType == payload.NotifyResponderLifetime:
		// Outside message 2 it can still come in time, RFC 2407, Section 4.6.3.1.
		if q := sa.awaiting(n.SPI); q != nil {
			_ = q.shorten(n)
		}
	}
}

// refusedByPeer takes a protected error notification. first reports that it is in the
// first message that the peer has sent under the SA.
func (sa *SA) refusedByPeer(n payload.Notify, first bool) {
	err := &ike.PeerError{Notify: n.NotifyType}
	if sa.state != established && sa.state != lingering {
		// The peer knows SKEYID_a, and so the pre-shared key.
		sa.fail(err)
		return
	}
	if q := sa.awaiting(n.SPI); q != nil {
		q.fail(err)
		return
	}
	if first && sa.aggressive && sa.initiator && bytes.Equal(n.SPI, sa.spi()) {
		for _, q := range slices.Clone(sa.quicks) { // it refuses message 3, and with it what was started since
			q.fail(err)
		}
	}
}

// awaiting is the quick mode under way that an SPI belongs to. Some peers name
// none, or the cookies: then it is the only one under way as the initiator.
func (sa *SA) awaiting(spi []byte) *quick {
	var v uint32
	if len(spi) == 4 {
		v = binary.BigEndian.Uint32(spi)
	}
	var only *quick
	count := 0
	for _, q := range sa.quicks {
		if !q.pending() {
			continue
		}
		if v != 0 && (slices.Contains(q.own[:], v) || slices.Contains(q.choice.PeerSPIs, v)) {
			return q
		}
		if q.initiator {
			only = q
			count++
		}
	}
	if v == 0 && count == 1 {
		return only
	}
	return nil
}

// sendNotify sends a protected notification. Nobody answers it, and it is not repeated on a schedule.
func (sa *SA) sendNotify(now time.Time, n payload.NotifyType, p payload.ProtocolID, spi []byte) outgoing {
	return sa.inform(now, payload.Notify{DOI: payload.DOIIPsec, Protocol: p, NotifyType: n, SPI: spi})
}

// inform starts an informational exchange: HDR*, HASH(1), N or D.
func (sa *SA) inform(now time.Time, p payload.Payload) (o outgoing) {
	mid, err := sa.newMessageID()
	if err != nil {
		sa.problem = ike.Errorf(ike.CodeProcessing, 0, "%v", err)
		return o
	}
	sa.used[usedID{payload.Informational, mid}] = struct{}{}
	msg, _, ps := sa.hashed(payload.Informational, mid, sa.firstIV(mid), sa.hash1(mid), p)
	sa.send(now, &o, msg, 1, false, "", ps...)
	return o
}

// notifyClear sends a notification in the clear, as before keys exist it has to
// be (RFC 2409, Section 5.7). The caller has asked Env.MayNotify.
func (sa *SA) notifyClear(now time.Time, o *outgoing, n payload.NotifyType) {
	mid, err := sa.newMessageID()
	if err != nil {
		sa.problem = ike.Errorf(ike.CodeProcessing, 0, "%v", err)
		return
	}
	p := payload.Notify{DOI: payload.DOIIPsec, Protocol: payload.ProtocolISAKMP, NotifyType: n, SPI: sa.spi()}
	sa.send(now, o, sa.clear(payload.Informational, mid, p), 1, false, fmt.Sprintf("unprotected: %v", n), p)
}
