package ike

import (
	"fmt"
	"strings"

	"github.com/ipseclab/ipseclab/ike/payload"
	"github.com/ipseclab/ipseclab/internal/ipsec"
	"github.com/ipseclab/ipseclab/internal/trace"
)

// ExplainMainMode says what a responder makes of each transform of an offer by who has sent
// these vendor IDs, of which it has made the choice; the zero value: none.
func ExplainMainMode(offer *payload.SA, vendors []payload.VendorID, m MainMode, by Preference, choice MainModeChoice) Decision {
	own := m.transforms(false)
	r := &ruling{by: by, taken: choice.place, own: len(own)}
	for _, o := range own {
		r.Accepted = append(r.Accepted, o.String())
	}
	for c, err := range mainModeAlternatives(offer, vendors) {
		a := c.alternative()
		if err != nil {
			if a.Proposal == "" {
				a.Proposal = err.Error()
			}
			r.refuse(a, unread(err.Error()))
			continue
		}
		if rank := c.rank(own); rank >= 0 {
			r.accept(a, rank)
			continue
		}
		r.refuse(a, nearest(len(own), func(i int) (differences, string) { return c.differences(own[i]), own[i].String() }))
	}
	return r.done()
}

// ExplainMainModeReply says what an initiator knows of each transform of its
// offer, of which the responder has made the choice; the zero value: none yet,
// and why says what is known.
func ExplainMainModeReply(offer *payload.SA, choice MainModeChoice, why string) Decision {
	var all []trace.Alternative
	for c := range mainModeAlternatives(offer, ownVendors) {
		all = append(all, c.alternative())
	}
	return choices(choice.place, why, all)
}

// alternative is what can be said of an offered transform without judging it.
func (c MainModeChoice) alternative() trace.Alternative {
	a := trace.Alternative{Number: int(c.Number)}
	if c.Transform.Number == 0 && c.Transform.ID == 0 && len(c.Transform.Attributes) == 0 {
		return a // of another protocol
	}
	a.Transform, a.Lifetime = fmt.Sprint(c.Transform.Number), durations(payload.ProtocolISAKMP, c.Transform.Attributes)
	if c.Proposal.Cipher != "" && c.Proposal.Hash != "" {
		a.Proposal = c.String()
		return a
	}
	var values []string // in the words of the registry
	for _, attribute := range c.Transform.Attributes {
		if !isLife(payload.ProtocolISAKMP, attribute.Type) && len(values) < 8 {
			_, value := payload.AttributeName(payload.ProtocolISAKMP, attribute)
			values = append(values, value)
		}
	}
	a.Proposal = strings.Join(values, "/")
	return a
}

func (c MainModeChoice) differences(own MainModeChoice) (d differences) {
	d.compareCipher(c.Proposal.Cipher, own.Proposal.Cipher)
	d.compare("hash", c.Proposal.Hash, own.Proposal.Hash)
	d.compare("group", fmt.Sprint(c.Proposal.Group), fmt.Sprint(own.Proposal.Group))
	d.compare("authentication by", c.authentication(), own.authentication())
	return d
}

// ExplainMainModeLifetime says how the lifetime of a main mode came about: of what was
// offered and what the own policy has, this side keeps to the last.
func ExplainMainModeLifetime(offered, own, kept ipsec.Lifetime, initiator bool) trace.Lifetimes {
	l := trace.Lifetimes{Offered: offered.String(), Kept: kept.String()}
	switch {
	case initiator && kept != offered:
		l.Own, l.Why = kept.String(), "the responder keeps to less, and says so with RESPONDER-LIFETIME"
	case initiator:
		l.Why = "as offered: the responder asks for no less"
	default:
		l.Own = own.String()
		switch shorter := Shorter(offered, own); {
		case kept != offered:
			l.Why = "the policy has less, and the initiator is told with RESPONDER-LIFETIME"
		case shorter != offered:
			l.Why = "as offered: the policy has less, and this host takes what is offered without a word"
		default:
			l.Why = "as offered: the policy has no less"
		}
	}
	return l
}
