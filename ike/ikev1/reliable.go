package ikev1

import (
	"bytes"
	"slices"
	"time"

	"github.com/ipseclab/ipseclab/ike"
	"github.com/ipseclab/ipseclab/ike/payload"
)

// Deletes that are acknowledged, MS-IKEE, 3.8:
//
//	1  HDR*, HASH(1), Ni, D  -->
//	2                        <--  HDR*, HASH(2), Nr, D
//
//	HASH(1) = prf(SKEYID_a, M-ID | Ni | D)
//	HASH(2) = prf(SKEYID_a, Ni_b | M-ID | Nr | D)
//
// HASH(1) is that of every informational exchange, over the payloads with their
// generic headers, so that a peer without the extension reads a plain Delete. D is the
// same in both. What the sender deletes is gone at once; it is the message that is
// repeated until the peer has heard it.

// deletion is a Delete of ours that the peer has not acknowledged.
type deletion struct {
	mid    uint32
	ni, iv []byte
	body   []byte // of the Delete payload
	last   outgoing
}

// answeredDelete is one of the peer's, kept to answer copies.
type answeredDelete struct {
	heard []byte
	last  outgoing
}

const (
	maxDeletions = 64 // of ours at a time
	maxAnswered  = 64 // of the peer's, the latest
)

// windows2000 is the number behind MS NT5 ISAKMPOAKLEY that stands for it, MS-IKEE, product note 6.
const windows2000 = 2

// answersDeletes reports whether the peer acknowledges Deletes, and we await that. MS-IKEE
// tells by the vendor ID alone; Windows 2000 has it and does not (product notes 23 and 24).
func (sa *SA) answersDeletes() bool {
	version, ok := sa.microsoftVersion()
	return sa.env.Config.ReliableDelete.Enabled && ok && version != windows2000
}

// deleteReliably sends message 1.
func (sa *SA) deleteReliably(now time.Time, p payload.Delete) outgoing {
	ni, err := sa.env.Config.Random(ike.ReliableDeleteNonce)
	if err != nil {
		sa.problem = ike.Errorf(ike.CodeProcessing, 0, "%v", err)
		return outgoing{}
	}
	mid, err := sa.newMessageID()
	if err != nil {
		sa.problem = ike.Errorf(ike.CodeProcessing, 0, "%v", err)
		return outgoing{}
	}
	sa.used[usedID{payload.Informational, mid}] = struct{}{}
	d := &deletion{mid: mid, ni: ni, body: payload.Body(p)}
	msg, iv, ps := sa.hashed(payload.Informational, mid, sa.firstIV(mid), sa.hash1(mid), payload.Nonce{Data: ni}, p)
	d.iv = iv
	sa.deletions = append(sa.deletions, d)
	sa.send(now, &d.last, msg, 1, false, "", ps...)
	once := d.last
	d.last.timer.Start(now, sa.env.Config.ReliableDelete.Gaps())
	return once
}

// acknowledged takes what belongs to an exchange that is known: message 2 of one of
// ours, or a copy of message 1 of one of the peer's.
func (sa *SA) acknowledged(now time.Time, m *message) bool {
	for _, d := range sa.deletions {
		if d.mid == m.MessageID {
			sa.deleteMessage2(now, m, d)
			return true
		}
	}
	for i := range sa.answered {
		if a := &sa.answered[i]; bytes.Equal(m.raw, a.heard) {
			sa.heard(m, 1, "a copy of message 1: the stored answer goes out again")
			defer sa.answering(m)()
			sa.sendAgain(now, &a.last, "answers a copy of message 1")
			return true
		}
	}
	return false
}

func (sa *SA) deleteMessage2(now time.Time, m *message, d *deletion) {
	if bytes.Equal(m.raw, d.last.msg) {
		sa.ignore(m, 0, "our own message came back")
		return
	}
	if err := m.authenticate(sa.keys, d.iv, sa.deleteHash2(d.mid, d.ni)); err != nil {
		sa.ignore(m, 0, "answer to a Delete: "+err.Error())
		return
	}
	if _, item, ok := nonceAndDelete(m.chain); !ok || !bytes.Equal(item.Body(), d.body) {
		sa.ignore(m, 0, "answer to a Delete: it is not of what was deleted")
		return
	}
	sa.genuine(now, m)
	sa.arrived(now, m)
	sa.heard(m, 2, "")
	sa.settle(d)
}

// deleteHash2 is HASH(2). Its order is not that of quick mode.
func (sa *SA) deleteHash2(mid uint32, ni []byte) func(rest []byte) []byte {
	return func(rest []byte) []byte { return sa.keys.hash.PRF(sa.keys.a, ni, messageID(mid), rest) }
}

// nonceAndDelete are the nonce of a message that consists of HASH, nonce and Delete, and its Delete.
func nonceAndDelete(chain []payload.Item) (ni []byte, d payload.Item, ok bool) {
	if len(chain) != 3 {
		return nil, d, false
	}
	n, isNonce := chain[1].Payload.(payload.Nonce)
	_, isDelete := chain[2].Payload.(payload.Delete)
	return n.Data, chain[2], isNonce && isDelete
}

// acknowledge answers the message 1 that m is, if it is one, with message 2.
func (sa *SA) acknowledge(now time.Time, m *message) {
	ni, item, ok := nonceAndDelete(m.chain)
	if !ok || !sa.env.Config.ReliableDelete.Enabled || sa.state != established && sa.state != lingering {
		return
	}
	nr, err := sa.env.Config.Random(ike.ReliableDeleteNonce)
	if err != nil {
		sa.problem = ike.Errorf(ike.CodeProcessing, 0, "%v", err)
		return
	}
	msg, _, ps := sa.hashed(payload.Informational, m.MessageID, m.nextIV, sa.deleteHash2(m.MessageID, ni), payload.Nonce{Data: nr}, item.Payload)
	if len(sa.answered) == maxAnswered {
		sa.answered = slices.Delete(sa.answered, 0, 1)
	}
	sa.answered = append(sa.answered, answeredDelete{heard: m.raw})
	sa.send(now, &sa.answered[len(sa.answered)-1].last, msg, 2, false, "", ps...)
}

// repeatDeletes does one thing that is due for a Delete; false: nothing is.
func (sa *SA) repeatDeletes(now time.Time) bool {
	for _, d := range sa.deletions {
		switch d.last.timer.Advance(now) {
		case ike.DueCopy:
			sa.sendAgain(now, &d.last, "")
			return true
		case ike.DueEnd:
			sa.settle(d)
			return true
		}
	}
	return false
}

// settle forgets a Delete that was acknowledged, or never was. An SA that was kept for its Deletes alone is then over.
func (sa *SA) settle(d *deletion) {
	sa.deletions = slices.DeleteFunc(sa.deletions, func(o *deletion) bool { return o == d })
	if sa.killed && len(sa.deletions) == 0 {
		sa.state = dead
	}
}
