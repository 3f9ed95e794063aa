package ikev1

import (
	"bytes"
	"fmt"
	"time"

	"github.com/ipseclab/ipseclab/ike"
	"github.com/ipseclab/ipseclab/ike/payload"
)

// Extended authentication, draft-beaulieu-ike-xauth-02, of the type Generic. Whoever
// started phase 1, the edge device starts each of the two transactions:
//
//	REQUEST  XAUTH-TYPE, XAUTH-USER-NAME, XAUTH-USER-PASSWORD  -->
//	                                                           <--  REPLY  the same, filled in
//	SET      XAUTH-STATUS                                      -->
//	                                                           <--  ACK
//
// It may ask again instead of the SET. All of them have the same identifier.

const xauthExchange = "extended authentication"

// isXAUTH reports whether the attributes are those of XAUTH rather than of mode config.
func isXAUTH(a payload.Attributes) bool {
	for _, at := range a.Attributes {
		if at.Type >= payload.XAUTHType && at.Type <= payload.XAUTHAnswer {
			return true
		}
	}
	return false
}

// startXAuth begins it; false: there is none.
func (sa *SA) startXAuth(now time.Time) (bool, error) {
	if sa.choice.Asked == ike.AskedNobody {
		return false, nil
	}
	sa.stepped(xauthExchange, "started", "", nil)
	if !sa.xauth.Asks {
		sa.await(now, sa.env.Config.Gaps(), ike.Errorf(ike.CodeTimedOut, 0, "the peer has not asked for the user that XAUTH wants"))
		return true, nil
	}
	var err error
	if sa.xauthID, err = sa.identifier(); err != nil {
		return false, err
	}
	return true, sa.askForUser(now)
}

// askForUser sends the edge device's request.
func (sa *SA) askForUser(now time.Time) error {
	sa.questions++
	as := []payload.Attribute{payload.BasicAttribute(payload.XAUTHType, payload.XAUTHGeneric), {Type: payload.XAUTHUserName}, {Type: sa.secretType()}}
	if sa.xauth.Message != "" {
		as = append(as, payload.Attribute{Type: payload.XAUTHMessage, Value: []byte(sa.xauth.Message)})
	}
	request := payload.Attributes{Config: payload.ConfigRequest, Identifier: sa.xauthID, Attributes: as}
	return sa.ask(now, payload.Transaction, request,
		func(now time.Time, m *message) { sa.judgeUser(now, m.attributes(), request) },
		func(now time.Time) {
			sa.xauthFailed(now, ike.Errorf(ike.CodeTimedOut, 0, "the peer does not answer the question for a user"))
		})
}

// secretType is what the user proves itself with.
func (sa *SA) secretType() uint16 {
	if sa.xauth.Passcode {
		return payload.XAUTHPasscode
	}
	return payload.XAUTHUserPassword
}

// judgeUser takes the answer.
func (sa *SA) judgeUser(now time.Time, a, request payload.Attributes) {
	if !isAnswer(a, request) {
		sa.xauthFailed(now, ike.Errorf(ike.CodeAuthFailed, 0, "XAUTH: %v is no answer to the question for a user", a.Config))
		return
	}
	name, _ := find(a.Attributes, payload.XAUTHUserName)
	secret, _ := find(a.Attributes, sa.secretType())
	status, refuses := find(a.Attributes, payload.XAUTHStatus)
	switch v, _ := status.Uint(); {
	case refuses && v == uint64(payload.XAUTHFail):
		sa.refuseUser(now, ike.Errorf(ike.CodeAuthFailed, 0, "XAUTH: the peer has no answer to the question for a user"))
	case sa.xauth.Admits(name.Value, secret.Value):
		sa.user = string(name.Value)
		sa.tellStatus(now, payload.XAUTHOK, func(now time.Time) {
			sa.stepped(xauthExchange, "established", "user "+sa.user, nil)
			sa.peerID += ", user " + sa.user
			sa.proceed(now)
		}, func(now time.Time) {
			sa.xauthFailed(now, ike.Errorf(ike.CodeTimedOut, 0, "XAUTH: the peer does not acknowledge that user %s is admitted", sa.user))
		})
	case sa.questions < sa.xauth.Tries():
		if err := sa.askForUser(now); err != nil {
			sa.xauthFailed(now, err)
		}
	default:
		sa.refuseUser(now, ike.Errorf(ike.CodeAuthFailed, 0, "XAUTH: user %s is not known with that password", quoted(name.Value)))
	}
}

// refuseUser says so to the peer, and ends the SA when it has heard.
func (sa *SA) refuseUser(now time.Time, err error) {
	end := func(now time.Time) { sa.xauthFailed(now, err) }
	sa.tellStatus(now, payload.XAUTHFail, end, end)
}

func (sa *SA) tellStatus(now time.Time, status uint16, heard, unheard func(now time.Time)) {
	set := payload.Attributes{
		Config: payload.ConfigSet, Identifier: sa.xauthID, Attributes: []payload.Attribute{payload.BasicAttribute(payload.XAUTHStatus, status)},
	}
	err := sa.ask(now, payload.Transaction, set, func(now time.Time, m *message) {
		if !isAnswer(m.attributes(), set) {
			sa.xauthFailed(now, ike.Errorf(ike.CodeAuthFailed, 0, "XAUTH: %v does not acknowledge its end", m.attributes().Config))
			return
		}
		heard(now)
	}, unheard)
	if err != nil {
		sa.xauthFailed(now, err)
	}
}

func (sa *SA) xauthFailed(now time.Time, err error) {
	sa.stepped(xauthExchange, "failed", "", err)
	sa.giveUp(now, err)
}

// askedForUser answers the edge device, once: the same answer will not do the second time.
func (sa *SA) askedForUser(now time.Time, m *message, a payload.Attributes) {
	fail := payload.BasicAttribute(payload.XAUTHStatus, payload.XAUTHFail)
	if sa.state != configuring || sa.underway != stepXAuth || sa.xauth.Asks {
		sa.reply(now, m, a, fail)
		return
	}
	kind := payload.BasicAttribute(payload.XAUTHType, payload.XAUTHGeneric)
	if t, given := find(a.Attributes, payload.XAUTHType); given {
		kind = t
	}
	if v, ok := kind.Uint(); !ok || v != uint64(payload.XAUTHGeneric) {
		_, name := payload.ConfigAttributeName(kind)
		sa.denied = ike.Errorf(ike.CodeAuthFailed, 0, "XAUTH of the type %s is unsupported", name)
	} else if sa.questions > 0 {
		sa.denied = ike.Errorf(ike.CodeAuthFailed, 0, "XAUTH: the peer has asked again, and user %s has no other password", sa.xauth.User.Name)
	}
	sa.await(now, sa.env.Config.Gaps(), ike.Errorf(ike.CodeTimedOut, 0, "the peer has not said what it makes of user %s", sa.xauth.User.Name))
	sa.questions++
	if sa.denied != nil {
		sa.reply(now, m, a, kind, fail)
		return
	}
	as := []payload.Attribute{kind}
	for _, at := range a.Attributes {
		switch at.Type {
		case payload.XAUTHUserName:
			as = append(as, payload.Attribute{Type: at.Type, Value: []byte(sa.xauth.User.Name)})
		case payload.XAUTHUserPassword, payload.XAUTHPasscode:
			as = append(as, payload.Attribute{Type: at.Type, Value: []byte(sa.xauth.User.Password)})
		}
	}
	sa.reply(now, m, a, as...)
}

// toldStatus takes the end of it. After a refusal the edge device deletes the SA; should that
// be lost, we do so ourselves after a while, in which copies are answered.
func (sa *SA) toldStatus(now time.Time, m *message, a payload.Attributes) {
	sa.reply(now, m, a)
	if sa.state != configuring || sa.underway != stepXAuth || sa.xauth.Asks {
		return
	}
	status, _ := find(a.Attributes, payload.XAUTHStatus)
	if v, ok := status.Uint(); ok && v == uint64(payload.XAUTHOK) && sa.denied == nil && sa.questions > 0 {
		sa.user = sa.xauth.User.Name
		sa.stepped(xauthExchange, "established", "user "+sa.user, nil)
		sa.proceed(now)
		return
	}
	if sa.denied == nil {
		sa.denied = ike.Errorf(ike.CodeAuthFailed, 0, "XAUTH: the peer refused user %s", sa.xauth.User.Name)
	}
	sa.stepped(xauthExchange, "failed", "", sa.denied)
	sa.await(now, []time.Duration{sa.env.Config.ConnectedWait()}, sa.denied)
}

// quoted is a name that a peer has sent, for a person.
func quoted(b []byte) string {
	if bytes.ContainsFunc(b, func(r rune) bool { return r < ' ' || r > '~' }) || len(b) > 64 {
		return fmt.Sprintf("%.64q", b)
	}
	return string(b)
}
