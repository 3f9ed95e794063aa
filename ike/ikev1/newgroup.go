package ikev1

import (
	"fmt"
	"time"

	"github.com/ipseclab/ipseclab/ike"
	"github.com/ipseclab/ipseclab/ike/payload"
	"github.com/ipseclab/ipseclab/internal/suite"
)

// New group mode, RFC 2409, Section 5.6:
//
//	1  HDR*, HASH(1), SA  -->
//	2                     <--  HDR*, HASH(2), SA
//
// The initiator of the main mode proposes a group, once. Whoever refuses "MUST reply with a
// Notify payload" ATTRIBUTES-NOT-SUPPORTED: here in the place of the SA payload of message 2.

const groupExchange = "new group mode"

// startNewGroup proposes a group; false: there is none.
func (sa *SA) startNewGroup(now time.Time) (bool, error) {
	group := sa.policy.NewGroups.Propose
	if group == nil || !sa.initiator {
		return false, nil
	}
	sa.stepped(groupExchange, "started", groupName(group), nil)
	offer := ike.OfferNewGroup(group)
	none := func(now time.Time, why error) {
		sa.stepped(groupExchange, "failed", "", why)
		sa.proceed(now) // quick modes go on with the groups that everybody knows
	}
	return true, sa.ask(now, payload.NewGroup, offer, func(now time.Time, m *message) {
		if n, refused := m.chain[1].Payload.(payload.Notify); refused {
			none(now, &ike.PeerError{Notify: n.NotifyType})
			return
		}
		if reply := m.chain[1].Payload.(*payload.SA); !sameGroup(reply, offer) {
			none(now, ike.Errorf(ike.CodeInvalidGroup, 0, "the peer's answer is about another group"))
			return
		}
		sa.privateGroup = group
		sa.stepped(groupExchange, "established", groupName(group), nil)
		sa.proceed(now)
	}, func(now time.Time) {
		none(now, ike.Errorf(ike.CodeTimedOut, 0, "the peer does not answer new group mode"))
	})
}

// sameGroup reports whether the answer is the proposal.
func sameGroup(reply, offer *payload.SA) bool {
	return string(payload.Body(reply)) == string(payload.Body(offer))
}

// newGroupMessage1 answers the proposal of a peer.
func (sa *SA) newGroupMessage1(now time.Time, m *message) {
	offer, ok := m.chain[1].Payload.(*payload.SA)
	if !ok {
		return // a notification that asks for nothing
	}
	group, err := sa.acceptGroup(offer)
	if err != nil {
		sa.stepped(groupExchange, "failed", "", err)
		sa.answer(now, m, payload.Notify{
			DOI: payload.DOIIPsec, Protocol: payload.ProtocolISAKMP, NotifyType: payload.NotifyAttributesNotSupported, SPI: sa.spi(),
		})
		return
	}
	sa.privateGroup = group
	sa.stepped(groupExchange, "established", groupName(group), nil)
	sa.answer(now, m, offer)
}

// acceptGroup judges it. Under one SA there is one private group, and one attempt: the tests take time.
func (sa *SA) acceptGroup(offer *payload.SA) (*suite.Group, error) {
	switch {
	case !sa.admitted():
		return nil, ike.Errorf(ike.CodeInvalidGroup, payload.NotifyAttributesNotSupported, "new group mode before the end of XAUTH")
	case sa.judgedGroup:
		return nil, ike.Errorf(ike.CodeInvalidGroup, payload.NotifyAttributesNotSupported, "new group mode for the second time under one main mode")
	}
	sa.judgedGroup = true
	return sa.policy.NewGroups.Choose(offer)
}

// groupNumbered is a group that everybody knows, or that of new group mode.
func (sa *SA) groupNumbered(n uint16) *suite.Group {
	if g := sa.privateGroup; g != nil && g.Number == n {
		return g
	}
	return suite.GroupNumbered(n)
}

// privateNumber is the number of the group of new group mode; 0: there is none.
func (sa *SA) privateNumber() uint16 {
	if sa.privateGroup == nil {
		return 0
	}
	return sa.privateGroup.Number
}

func groupName(g *suite.Group) string { return fmt.Sprintf("group %d of %d bits", g.Number, g.Bits) }
