package ikev1

import (
	"bytes"
	"fmt"
	"slices"
	"time"

	"github.com/ipseclab/ipseclab/ike"
	"github.com/ipseclab/ipseclab/ike/payload"
)

// Exchanges of two messages under an SA: the transaction exchange of mode config and XAUTH
// (draft-dukes-ike-mode-cfg-02, Section 3.1), and new group mode (RFC 2409, Section 5.6):
//
//	1  HDR*, HASH, ATTR or SA  -->
//	2                          <--  HDR*, HASH, ATTR or SA
//
//	HASH = prf(SKEYID_a, M-ID | ATTR or SA)
//
// Each has a message ID of its own, and an IV that begins with it and is chained from message 1 to 2.

// transaction is one of them.
type transaction struct {
	exchange  payload.Exchange
	mid       uint32
	initiator bool
	iv        []byte // of message 2, for the initiator
	last      outgoing
	heard     []byte // responder: message 1
	until     time.Time

	answered   func(now time.Time, m *message) // initiator: takes message 2
	unanswered func(now time.Time)             // initiator: there is none
}

// maxTransactions bounds those of the peer that are kept to answer copies; the oldest goes first.
const maxTransactions = 32

func (t *transaction) deadline() time.Time {
	if at, on := t.last.timer.Deadline(); on {
		return at
	}
	return t.until
}

// pending reports whether the peer's answer is awaited.
func (t *transaction) pending() bool { return t.last.timer.Running() }

// ask starts an exchange.
func (sa *SA) ask(now time.Time, x payload.Exchange, p payload.Payload, answered func(now time.Time, m *message), unanswered func(now time.Time)) error {
	mid, err := sa.newMessageID()
	if err != nil {
		return err
	}
	sa.used[usedID{x, mid}] = struct{}{}
	t := &transaction{exchange: x, mid: mid, initiator: true, answered: answered, unanswered: unanswered}
	msg, iv, ps := sa.hashed(x, mid, sa.firstIV(mid), sa.hash1(mid), p)
	t.iv = iv
	sa.transactions = append(sa.transactions, t)
	sa.send(now, &t.last, msg, 1, true, "", ps...)
	return nil
}

// transact takes a message of such an exchange.
func (sa *SA) transact(now time.Time, m *message) {
	switch {
	case sa.state != configuring && sa.state != established && sa.state != lingering:
		sa.ignore(m, 0, m.Exchange.String()+" before the end of phase 1")
		return
	case m.Flags&payload.Encrypted == 0 || m.MessageID == 0:
		sa.ignore(m, 0, m.Exchange.String()+" must be encrypted and have a message ID")
		return
	}
	for _, t := range sa.transactions {
		if t.mid == m.MessageID && t.exchange == m.Exchange {
			sa.transactKnown(now, m, t)
			return
		}
	}
	if _, again := sa.used[usedID{m.Exchange, m.MessageID}]; again || len(sa.used) >= maxMessageIDs {
		sa.ignore(m, 0, "its message ID has been used")
		return
	}
	if !sa.readTransaction(m, sa.firstIV(m.MessageID)) {
		return
	}
	sa.genuine(now, m)
	if sa.state == lingering {
		sa.ignore(m, 1, "this main mode has been deleted")
		return
	}
	sa.open(now, m)
	sa.heard(m, 1, "")
	if m.Exchange == payload.NewGroup {
		sa.newGroupMessage1(now, m)
		return
	}
	sa.configMessage1(now, m)
}

// readTransaction decrypts a message of such an exchange; false: it is not genuine, or has not what the exchange is about.
func (sa *SA) readTransaction(m *message, iv []byte) bool {
	if err := m.authenticate(sa.keys, iv, sa.hash1(m.MessageID)); err != nil {
		sa.ignore(m, 0, m.Exchange.String()+": "+err.Error())
		return false
	}
	why := m.twoPayloads()
	if why != "" {
		sa.ignore(m, 0, why)
	}
	return why == ""
}

// twoPayloads says what is wrong with a message that is not a hash and the one payload that
// its exchange is about. It may be one of another exchange: no hash covers the type.
func (m *message) twoPayloads() string {
	want := payload.TypeAttributes
	if m.Exchange == payload.NewGroup {
		want = payload.TypeSA
	}
	switch {
	case m.malformed != nil:
		return fmt.Sprintf("%v: %v", m.Exchange, m.malformed)
	case len(m.chain) == 2 && m.chain[1].Payload.Type() == want:
		return ""
	case len(m.chain) == 2 && m.Exchange == payload.NewGroup && m.chain[1].Payload.Type() == payload.TypeNotify:
		return "" // a refusal
	}
	return fmt.Sprintf("%v without one %v payload behind the hash", m.Exchange, want)
}

func (sa *SA) transactKnown(now time.Time, m *message, t *transaction) {
	switch {
	case bytes.Equal(m.raw, t.heard) && !t.initiator:
		sa.heard(m, 1, "a copy of message 1: the stored answer goes out again")
		defer sa.answering(m)()
		sa.sendAgain(now, &t.last, "answers a copy of message 1")
		return
	case bytes.Equal(m.raw, t.last.msg):
		sa.ignore(m, 0, "our own message came back")
		return
	case !t.pending():
		sa.ignore(m, 0, "this exchange is over")
		return
	}
	if !sa.readTransaction(m, t.iv) {
		return
	}
	sa.genuine(now, m)
	sa.arrived(now, m)
	sa.heard(m, 2, "")
	sa.forgetTransaction(t)
	t.answered(now, m)
}

// answer ends an exchange of the peer with message 2. It is kept to answer copies.
func (sa *SA) answer(now time.Time, m *message, p payload.Payload) {
	t := &transaction{exchange: m.Exchange, mid: m.MessageID, heard: m.raw, until: now.Add(ike.Linger(sa.env.Config.Gaps()))}
	msg, _, ps := sa.hashed(m.Exchange, m.MessageID, m.nextIV, sa.hash1(m.MessageID), p)
	kept := 0
	for _, o := range sa.transactions {
		if !o.initiator {
			kept++
		}
	}
	if kept >= maxTransactions {
		sa.forgetTransaction(sa.transactions[slices.IndexFunc(sa.transactions, func(o *transaction) bool { return !o.initiator })])
	}
	sa.transactions = append(sa.transactions, t)
	sa.send(now, &t.last, msg, 2, false, "", ps...)
}

// forgetTransaction forgets an exchange.
func (sa *SA) forgetTransaction(t *transaction) {
	t.last.timer.Stop()
	sa.transactions = slices.DeleteFunc(sa.transactions, func(o *transaction) bool { return o == t })
}

// stopAsking forgets the exchanges whose answers nobody wants any more.
func (sa *SA) stopAsking() {
	sa.transactions = slices.DeleteFunc(sa.transactions, func(t *transaction) bool { return t.initiator })
}

// advanceTransactions does one thing that is due; false: nothing is.
func (sa *SA) advanceTransactions(now time.Time) bool {
	for _, t := range sa.transactions {
		switch due := t.last.timer.Advance(now); {
		case due == ike.DueCopy:
			sa.sendAgain(now, &t.last, "")
			return true
		case due == ike.DueEnd:
			sa.forgetTransaction(t)
			t.unanswered(now)
			return true
		case !t.initiator && !now.Before(t.until):
			sa.forgetTransaction(t)
			return true
		}
	}
	return false
}
