package ikev1

import (
	"bytes"
	"errors"
	"fmt"
	"time"

	"github.com/ipseclab/ipseclab/ike"
	"github.com/ipseclab/ipseclab/ike/payload"
	"github.com/ipseclab/ipseclab/internal/suite"
	"github.com/ipseclab/ipseclab/internal/trace"
)

// mainMode takes a message of phase 1. RFC 2409, Section 5.4:
//
//	1  HDR, SA             -->
//	2                      <--  HDR, SA
//	3  HDR, KE, Ni         -->
//	4                      <--  HDR, KE, Nr
//	5  HDR*, IDii, HASH_I  -->
//	6                      <--  HDR*, IDir, HASH_R
func (sa *SA) mainMode(now time.Time, m *message) {
	if bytes.Equal(m.raw, sa.heardLast) {
		sa.mainModeCopy(now, m)
		return
	}
	if bytes.Equal(m.raw, sa.last.msg) && (sa.state != awaits2 || sa.echoes == 0) { // message 2 may look like message 1 with its cookie
		sa.ignore(m, 0, "our own message came back")
		return
	}
	if m.Flags&payload.Encrypted != 0 && sa.state >= awaits2 && sa.state <= awaits4 && !(sa.aggressive && sa.state == awaits3) {
		sa.drop(now, m, ike.Errorf(ike.CodeProcessing, 0, "it is encrypted"))
		return
	}
	var err error
	switch sa.state {
	case awaits2:
		err = sa.message2(now, m)
	case awaits3:
		if sa.aggressive {
			err = sa.aggressive3(now, m)
		} else {
			err = sa.message3(now, m)
		}
	case awaits4:
		err = sa.message4(now, m)
	case awaits5:
		err = sa.message5(now, m)
	case awaits6:
		err = sa.message6(now, m)
	case configuring, established, lingering:
		sa.ignore(m, 0, "main mode is over")
		return
	default:
		sa.ignore(m, 0, "the offer was refused")
		return
	}
	if err != nil {
		sa.drop(now, m, err)
	}
}

// hash is that of the proposal agreed on.
func (sa *SA) hash() *suite.Hash { return suite.HashNamed(sa.choice.Proposal.Hash) }

// cipher is that of the proposal agreed on.
func (sa *SA) cipher() *suite.Cipher { return suite.CipherNamed(sa.choice.Proposal.Cipher) }

// number is the place of the awaited message in main mode.
func (s state) number() int {
	switch s {
	case awaits2, awaits3, awaits4, awaits5, awaits6:
		return int(s-awaits2) + 2
	}
	return 0
}

// mainModeCopy answers a copy of the peer's last message, see the package documentation.
func (sa *SA) mainModeCopy(now time.Time, m *message) {
	number := sa.last.record.Number - 1
	if sa.initiator && !sa.aggressive { // in aggressive mode message 3 has no timer
		sa.ignore(m, 0, "a copy, which the initiator does not answer in main mode")
		return
	}
	if sa.aggressive && sa.state != refused && sa.last.msg == nil {
		sa.ignore(m, 0, "a copy of a message that needs no answer any more")
		return
	}
	if sa.state == refused {
		sa.heard(m, 1, "a copy of the offer that was refused")
		if sa.last.msg != nil && sa.env.MayNotify(now, sa.remote.Addr()) {
			defer sa.answering(m)()
			sa.sendAgain(now, &sa.last, "refuses a copy of message 1")
		}
		return
	}
	sa.heard(m, number, fmt.Sprintf("a copy of message %d: the stored answer goes out again", number))
	defer sa.answering(m)()
	sa.sendAgain(now, &sa.last, fmt.Sprintf("answers a copy of message %d", number))
}

// drop remembers what was wrong with a main mode message and leaves the state
// alone: nothing proves who sent it.
func (sa *SA) drop(now time.Time, m *message, err error) {
	sa.ignore(m, 0, fmt.Sprintf("message %d is awaited; %s", sa.state.number(), ike.ReasonOf(err)))
	e, ok := errors.AsType[*ike.Error](err)
	if !ok {
		e = ike.Errorf(ike.CodeProcessing, ike.NotifyOf(err), "%v", err)
	}
	told := sa.problem != nil
	sa.problem = e
	defer sa.answering(m)()
	if e.Notify != 0 && !told && sa.env.MayNotify(now, sa.remote.Addr()) {
		sa.tellRefusal(now, m, e.Notify)
	}
}

// unanswered ends a main mode whose last message got no answer.
func (sa *SA) unanswered() {
	code := ike.CodeNoResponse
	if sa.heardLast != nil {
		code = ike.CodeTimedOut
	}
	err := ike.Errorf(code, 0, "no response to message %d", sa.last.record.Number)
	if sa.problem != nil {
		err = ike.Errorf(sa.problem.Code, sa.problem.Notify, "no response to message %d that could be used: %s", sa.last.record.Number, sa.problem.Reason)
	}
	err.Hint = sa.hint
	sa.fail(err)
}

// fail ends a main mode that has not been established.
func (sa *SA) fail(err error) {
	if sa.denied != nil {
		err = sa.denied // the peer's Delete follows its refusal
	}
	sa.state, sa.err = dead, err
	sa.last.timer.Stop()
	sa.stopAsking()
	sa.release()
	sa.negotiated("failed", err)
}

// accept takes note of a message that is what was awaited.
func (sa *SA) accept(m *message, number int) {
	sa.heard(m, number, "")
	sa.heardLast, sa.problem = m.raw, nil
	sa.vendors.learn(m)
	sa.last.timer.Stop()
}

func (sa *SA) message3(now time.Time, m *message) error {
	ke, nonce, err := sa.method.receive(now, m)
	if err != nil {
		return err
	}
	before := sa.natt
	sa.discover(m)
	ps, err := sa.exchange(now)
	if err != nil {
		sa.heard(m, 3, "")
		sa.failSaying(now, err)
		return nil
	}
	shared, err := sa.shared(ke)
	if err != nil {
		sa.natt = before
		return err
	}
	sa.accept(m, 3)
	sa.adopt(m)
	sa.takeRequests(m)
	if err := sa.deriveKeys(ke, nonce, shared); err != nil {
		sa.fail(err)
		return nil
	}
	sa.state = awaits5
	sa.send(now, &sa.last, sa.clear(payload.MainMode, 0, ps...), 4, true, "", ps...)
	return nil
}

// exchange are the payloads of message 3 or 4.
func (sa *SA) exchange(now time.Time) ([]payload.Payload, error) {
	ps, err := sa.method.exchange(now)
	if err != nil {
		return nil, err
	}
	nat, err := sa.discovery()
	return append(ps, nat...), err
}

// shared is what the Diffie–Hellman exchange with the peer's public value gives.
func (sa *SA) shared(ke []byte) ([]byte, error) {
	gxy, err := sa.private.Shared(ke)
	if err != nil {
		return nil, ike.Errorf(ike.CodeKEPayload, payload.NotifyInvalidKeyInformation, "%v", err)
	}
	return gxy, nil
}

// deriveKeys makes the keys of phase 1 and its first IV of what the peer has sent, and
// gives the cipher key to the trace at once: a capture of a negotiation that fails from
// here on can be decrypted too.
func (sa *SA) deriveKeys(ke, nonce, gxy []byte) error {
	sa.peerKE, sa.peerNonce = ke, nonce
	ni, nr, gxi, gxr := sa.ownNonce, nonce, sa.private.Public(), ke
	if !sa.initiator {
		ni, nr, gxi, gxr = nr, ni, gxr, gxi
	}
	skeyid, err := sa.method.skeyid(ni, nr, gxy)
	if err != nil {
		return err
	}
	if sa.keys, err = newKeys(sa.choice.Proposal, skeyid, gxy, sa.cookies); err != nil {
		return err
	}
	sa.iv = sa.keys.iv(gxi, gxr)
	sa.env.Config.Record(trace.IKEKeys{
		CookieI: append([]byte(nil), sa.cookies.Initiator[:]...), CookieR: append([]byte(nil), sa.cookies.Responder[:]...),
		Cipher: sa.choice.Proposal.Cipher, Key: append([]byte(nil), sa.keys.cipherKey...),
	})
	return nil
}

func (sa *SA) message4(now time.Time, m *message) error {
	ke, nonce, err := sa.method.receive(now, m)
	if err != nil {
		return err
	}
	shared, err := sa.shared(ke)
	if err != nil {
		return err
	}
	sa.accept(m, 4)
	sa.takeRequests(m)
	sa.discover(m)
	if err := sa.checkPlacement(); err != nil {
		sa.fail(err)
		return nil
	}
	if err := sa.deriveKeys(ke, nonce, shared); err != nil {
		sa.fail(err)
		return nil
	}
	sa.float()
	ps, ok := sa.prove(now)
	if !ok {
		return nil
	}
	ps = append(ps, sa.initialContact(now)...)
	var msg []byte
	msg, sa.iv = sa.sealed(payload.MainMode, 0, sa.iv, ps...)
	sa.state = awaits6
	sa.send(now, &sa.last, msg, 5, true, "", ps...)
	return nil
}

// initialContact is the notification that this host has no other SA with the peer, where that is so.
func (sa *SA) initialContact(now time.Time) []payload.Payload {
	if sa.env.Config.NoInitialContact || !sa.env.Alone(now, sa) {
		return nil
	}
	return []payload.Payload{payload.Notify{
		DOI: payload.DOIIPsec, Protocol: payload.ProtocolISAKMP, NotifyType: payload.NotifyInitialContact, SPI: sa.spi(),
	}}
}

// failSaying ends a phase 1 for a fault that the peer learns of: under the keys,
// once there are any ("during the third round trip they are protected", MS-IKEE, 3.1.5).
func (sa *SA) failSaying(now time.Time, err error) {
	switch n := ike.NotifyOf(err); {
	case n == 0:
	case sa.keys != nil:
		sa.sendNotify(now, n, payload.ProtocolISAKMP, sa.spi())
	case sa.env.MayNotify(now, sa.remote.Addr()):
		sa.notifyClear(now, &outgoing{}, n)
	}
	sa.fail(err)
}

// establish ends phase 1 with a message of the peer. Its secrets that nothing needs any more are dropped.
func (sa *SA) establish(now time.Time, m *message) {
	sa.state = configuring
	sa.since = now
	sa.endAfter(sa.choice.Lifetime)
	sa.watch(now)
	if sa.env.Config.Trace != nil {
		sa.asked = asked(m)
	}
	auth, _ := sa.policy.Of(sa.choice, sa.initiator)
	sa.private, sa.sai, sa.xauth = nil, nil, auth.XAuth
	sa.proceed(now)
	sa.statusNotifies(m)
}

// endAfter sets the lifetime of an established SA, and when it is to be replaced.
func (sa *SA) endAfter(d time.Duration) {
	sa.lifetime, sa.expires = d, sa.since.Add(d)
	if margin, ok := sa.env.Config.Margin(d); ok && sa.initiator {
		sa.aging = sa.expires.Add(-margin - sa.env.Config.Earlier(d))
	}
}

// statusNotifies takes what the peer put beside its proof. No hash covers it, so that
// in the clear, as messages of aggressive mode can be, it may be anybody's.
func (sa *SA) statusNotifies(m *message) {
	if m.Flags&payload.Encrypted == 0 {
		return
	}
	for _, n := range payload.All[payload.Notify](m.chain) {
		sa.status(n)
	}
}

// spi names the ISAKMP SA in notifications: both cookies.
func (sa *SA) spi() []byte {
	return append(append([]byte(nil), sa.cookies.Initiator[:]...), sa.cookies.Responder[:]...)
}
