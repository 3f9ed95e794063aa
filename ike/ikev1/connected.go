package ikev1

import (
	"encoding/binary"
	"time"

	"github.com/ipseclab/ipseclab/ike"
	"github.com/ipseclab/ipseclab/ike/payload"
)

// The end of a quick mode, with and without the commit bit. RFC 2408, Section
// 3.1: whoever sets the bit makes the other side wait for CONNECTED before it
// uses the SAs. It comes under the message ID of the quick mode, as an
// informational exchange, or as a fourth quick mode message, which was seen of
// Windows servers.

// genuine takes note of a message of the exchange that the peer alone can have
// sent, and of its commit bit. That stands in the clear and in no hash: what
// hangs on it is no more than a wait.
func (q *quick) genuine(now time.Time, m *message) {
	q.sa.genuine(now, m)
	q.asked = q.asked || m.Flags&payload.Commit != 0
}

// message3 completes the exchange at the responder.
func (q *quick) message3(now time.Time, m *message) {
	sa := q.sa
	if err := m.authenticate(sa.keys, q.iv, q.hash3); err != nil {
		sa.ignore(m, 0, "quick mode message 3: "+err.Error())
		return
	}
	sa.heard(m, 3, "")
	q.genuine(now, m)
	sa.arrived(now, m)
	q.heard, q.iv = m.raw, m.nextIV
	q.last = outgoing{} // nothing is left to be answered
	if sa.env.Config.Commit {
		q.connect(now)
	}
	if q.asked {
		q.awaitConnected(now)
		return
	}
	q.finish(now)
}

// connect sends CONNECTED, which a copy of message 3 gets again.
func (q *quick) connect(now time.Time) {
	sa := q.sa
	n := payload.Notify{
		DOI: payload.DOIIPsec, Protocol: payload.ProtocolID(q.choice.Proposal.Transforms[0].Protocol), NotifyType: payload.NotifyConnected,
		SPI: binary.BigEndian.AppendUint32(nil, q.choice.PeerSPIs[0]),
	}
	var msg []byte
	var ps []payload.Payload
	msg, q.iv, ps = sa.hashed(payload.Informational, q.mid, q.iv, sa.hash1(q.mid), n)
	sa.send(now, &q.last, msg, 4, false, "", ps...)
}

// awaitConnected waits for CONNECTED, for a while.
func (q *quick) awaitConnected(now time.Time) {
	q.state, q.until = quickAwaits4, now.Add(q.sa.env.Config.ConnectedWait())
}

// message4 takes what may follow message 3. Its IV is the one after the latest
// message of the quick mode, or, of an informational exchange, that of an exchange
// of its own: the message ID is the same, and the standard does not say which of
// the two it is. (A quick mode message under the latter is message 1.)
func (q *quick) message4(now time.Time, m *message) {
	sa := q.sa
	verifies := func(iv []byte) bool { return m.authenticate(sa.keys, iv, sa.hash1(q.mid)) == nil }
	if m.Flags&payload.Encrypted == 0 || !verifies(q.iv) && (m.Exchange != payload.Informational || !verifies(sa.firstIV(q.mid))) {
		sa.ignore(m, 0, "it is not what may follow quick mode message 3")
		return
	}
	q.genuine(now, m)
	q.heard1 = m.raw
	if q.state != quickAwaits4 {
		sa.heard(m, 4, "noted: the quick mode is over")
		return
	}
	sa.heard(m, 4, "")
	sa.arrived(now, m)
	for _, n := range payload.All[payload.Notify](m.chain) {
		if n.NotifyType.Error() {
			q.fail(&ike.PeerError{Notify: n.NotifyType})
			return
		}
	}
	q.finish(now)
}
