package ikev1

import (
	"time"

	"github.com/ipseclab/ipseclab/ike"
	"github.com/ipseclab/ipseclab/ike/payload"
)

// Between phase 1 and the first quick mode an SA is in the state configuring, where policy
// or the method of authentication has something to be done there: first the user of XAUTH
// proves who it is, then an inner address is assigned, then a new group is agreed on. Quick
// modes are neither started nor answered before that, and to everybody else the main mode
// is still under way.

// step is what of it is under way.
type step uint8

const (
	stepNone step = iota
	stepXAuth
	stepConfig
	stepGroup
	stepsDone
)

// proceed goes to the next step, or ends them.
func (sa *SA) proceed(now time.Time) {
	for sa.state == configuring {
		sa.patience.Stop()
		sa.underway++
		begun, err := false, error(nil)
		switch sa.underway {
		case stepXAuth:
			begun, err = sa.startXAuth(now)
		case stepConfig:
			begun, err = sa.startConfig(now)
		case stepGroup:
			begun, err = sa.startNewGroup(now)
		default:
			sa.up(now)
			return
		}
		if err != nil {
			sa.giveUp(now, err)
			return
		}
		if begun {
			return
		}
	}
}

// up is the end of all steps: quick modes may begin.
func (sa *SA) up(now time.Time) {
	sa.state = established
	sa.negotiated("established", nil)
	sa.offer, sa.method = nil, nil
	sa.requested, sa.claimedBody, sa.peerKE, sa.ownNonce, sa.peerNonce = nil, nil, nil, nil, nil
	sa.emit(ike.EventMainMode{
		Local: sa.local.Addr(), Remote: sa.remote.Addr(), Cookies: sa.cookies, Initiator: sa.initiator, Expires: sa.expires,
	})
	if sa.contact {
		sa.contact = false
		sa.emit(ike.EventInitialContact{})
	}
	if sa.assignment != nil {
		sa.assigned()
	}
}

// assigned reports the assignment under an SA that is up.
func (sa *SA) assigned() {
	sa.emit(ike.EventAssigned{Local: sa.local.Addr(), Remote: sa.remote.Addr(), Cookies: sa.cookies, Gave: sa.gave, Assignment: *sa.assignment})
}

// admitted reports that the peer has proved all that it has to. The two sides do not take
// the later steps at the same time, so that what the peer asks for may come before our own end.
func (sa *SA) admitted() bool {
	return sa.state == established || sa.state == configuring && sa.underway > stepXAuth
}

// await lets the peer have as long as a schedule for what it has to start; else the SA ends with err.
func (sa *SA) await(now time.Time, gaps []time.Duration, err error) {
	sa.patience.Wait(now, gaps)
	sa.impatient = err
}

// giveUp ends an SA between phase 1 and the first quick mode. The peer is told, as it may take it for established.
func (sa *SA) giveUp(now time.Time, err error) {
	sa.sendDelete(now, payload.ProtocolISAKMP, sa.spi())
	sa.fail(err)
}

// attributes are the one Attributes payload of a message that twoPayloads has passed.
func (m *message) attributes() payload.Attributes {
	a, _ := m.chain[1].Payload.(payload.Attributes)
	return a
}

// configMessage1 takes the first message of a transaction exchange.
func (sa *SA) configMessage1(now time.Time, m *message) {
	a := m.attributes()
	switch xauth := isXAUTH(a); {
	case a.Config == payload.ConfigRequest && xauth:
		sa.askedForUser(now, m, a)
	case a.Config == payload.ConfigSet && xauth:
		sa.toldStatus(now, m, a)
	case a.Config == payload.ConfigRequest:
		sa.askedForConfig(now, m, a)
	case a.Config == payload.ConfigSet:
		sa.given(now, m, a)
	}
}

// reply answers message 1 with attributes; a type that is not known needs none.
func (sa *SA) reply(now time.Time, m *message, to payload.Attributes, as ...payload.Attribute) {
	r := payload.Attributes{Config: payload.ConfigReply, Identifier: to.Identifier, Attributes: as}
	if to.Config == payload.ConfigSet {
		r.Config = payload.ConfigAck
	}
	sa.answer(now, m, r)
}

// isAnswer reports whether the message is what may follow ours.
func isAnswer(a, to payload.Attributes) bool {
	want := payload.ConfigReply
	if to.Config == payload.ConfigSet {
		want = payload.ConfigAck
	}
	return a.Config == want && a.Identifier == to.Identifier
}

// identifier draws one of a transaction.
func (sa *SA) identifier() (uint16, error) {
	b, err := sa.env.Config.Random(2)
	if err != nil {
		return 0, err
	}
	return uint16(b[0])<<8 | uint16(b[1]), nil
}

// find is the first attribute of a type.
func find(as []payload.Attribute, t uint16) (payload.Attribute, bool) {
	for _, a := range as {
		if a.Type == t {
			return a, true
		}
	}
	return payload.Attribute{}, false
}

// stepped traces what has become of a step.
func (sa *SA) stepped(exchange, state, chosen string, err error) {
	if sa.env.Config.Trace == nil {
		return
	}
	n := sa.negotiation(exchange, state, sa.initiator, err)
	n.Chosen = chosen
	sa.env.Config.Record(n)
}
