package ike

import (
	"fmt"
	"strings"

	"github.com/ipseclab/ipseclab/ike/payload"
	"github.com/ipseclab/ipseclab/internal/trace"
)

// Decision explains a choice from an offer in words. Nobody needs it to negotiate:
// it is made for whoever reads a trace, after the choice and apart from it.
type Decision struct {
	Alternatives []trace.Alternative // in the order of the offer
	Omitted      int                 // alternatives beyond maxAlternatives
	Accepted     []string            // what the policy of a responder accepts, in its order
	Preference   string              // of a responder
}

// Fill puts the decision into a record.
func (d Decision) Fill(n *trace.Negotiation) {
	n.Offered, n.Omitted, n.Accepted, n.Preference = d.Alternatives, d.Omitted, d.Accepted, d.Preference
}

// maxAlternatives bounds what a record has of an offer: an offer may have
// thousands of combinations. The one that is chosen is always there.
const maxAlternatives = 48

func (d *Decision) add(a trace.Alternative) {
	if len(d.Alternatives) < maxAlternatives || a.Verdict == trace.Chosen {
		d.Alternatives = append(d.Alternatives, a)
	} else {
		d.Omitted++
	}
}

// String is the whose order it is.
func (p Preference) String() string {
	if p == ResponderOrder {
		return "responder's order"
	}
	return "initiator's order"
}

// ruling is what a responder makes of an offer, of which selection has taken the
// alternative at a place, from 1; 0: it has taken none.
type ruling struct {
	Decision
	by     Preference
	taken  int
	rank   int // of the taken one in the policy, from 0
	own    int // entries of the policy
	fits   int // alternatives that the policy accepts
	number int // alternatives so far
	marks  []int
}

// accept rules on an alternative that is the entry of the policy at a rank.
func (r *ruling) accept(a trace.Alternative, rank int) {
	r.number++
	r.fits++
	a.Verdict = trace.Acceptable
	if r.number == r.taken {
		a.Verdict, r.rank = trace.Chosen, rank
	}
	before := len(r.Alternatives)
	r.add(a)
	if len(r.Alternatives) > before {
		r.marks = append(r.marks, before, rank, r.number)
	}
}

// refuse rules on an alternative that the policy does not have.
func (r *ruling) refuse(a trace.Alternative, why string) {
	r.number++
	a.Verdict, a.Reason = trace.Refused, why
	r.add(a)
}

// done gives the reasons of what was accepted, once all of the offer is known.
func (r *ruling) done() Decision {
	r.Preference = r.by.String()
	for i := 0; i < len(r.marks); i += 3 {
		a, rank, place := &r.Alternatives[r.marks[i]], r.marks[i+1], r.marks[i+2]
		a.Reason = r.preferred(a.Verdict == trace.Chosen, rank, place)
	}
	return r.Decision
}

func (r *ruling) preferred(chosen bool, rank, place int) string {
	entry := fmt.Sprintf("entry %d of %d in the policy", rank+1, r.own)
	switch {
	case chosen && r.fits == 1:
		return "the only one that the policy accepts: " + entry
	case chosen && r.by == ResponderOrder:
		return "the responder's order decides, and of what both have this is the first of the policy: " + entry
	case chosen:
		return "the initiator's order decides, and this is the first of the offer that the policy accepts: " + entry
	case r.taken == 0:
		return entry
	case rank == r.rank:
		return "the same as the chosen one, which is offered before it"
	case r.by == ResponderOrder:
		return fmt.Sprintf("%s; the responder's order decides, and entry %d is before it", entry, r.rank+1)
	}
	return fmt.Sprintf("%s; the initiator's order decides, and the chosen one is offered before it", entry)
}

// choices is what an initiator knows of its offer: what the responder took, but
// not why. place is that of the choice, from 1; 0: nothing was chosen, and why says what is known.
func choices(place int, why string, offered []trace.Alternative) (d Decision) {
	for i, a := range offered {
		switch {
		case i+1 == place && len(offered) == 1:
			a.Verdict, a.Reason = trace.Chosen, "the only one that was offered"
		case i+1 == place && i == 0:
			a.Verdict, a.Reason = trace.Chosen, fmt.Sprintf("the responder took our first choice of %d", len(offered))
		case i+1 == place:
			a.Verdict, a.Reason = trace.Chosen, fmt.Sprintf("the responder took our choice %d of %d: it does not accept what is before it, or goes by its own order", place, len(offered))
		case place == 0:
			a.Verdict, a.Reason = trace.Unanswered, why
		case i < place:
			a.Verdict, a.Reason = trace.NotChosen, "the responder passed it over, and does not say why"
		default:
			a.Verdict, a.Reason = trace.NotChosen, "it is behind the chosen one"
		}
		d.add(a)
	}
	return d
}

// RefusedByPeer is an offer that the peer has refused as a whole.
func (d Decision) RefusedByPeer(why string) Decision {
	for i := range d.Alternatives {
		d.Alternatives[i].Verdict, d.Alternatives[i].Reason = trace.Refused, why
	}
	return d
}

// differences are where an offered alternative differs from an entry of a policy.
type differences struct {
	phrases  []string
	distance int
}

// another is as far away as another algorithm; another length of key is half of that.
const another = 2

func (d *differences) add(phrase string, distance int) {
	d.phrases, d.distance = append(d.phrases, phrase), d.distance+distance
}

func (d *differences) compare(what, offered, own string) {
	if offered != own {
		d.add(what+" "+offered+" instead of "+own, another)
	}
}

// compareCipher tells a key length from another cipher.
func (d *differences) compareCipher(offered, own string) {
	if a, b := aesBits(offered), aesBits(own); a != "" && b != "" && a != b && strings.Replace(offered, a, b, 1) == own {
		d.add("key length "+a+" instead of "+b, another/2)
		return
	}
	d.compare("cipher", offered, own)
}

// aesBits is the key length in the name of an AES cipher of package suite.
func aesBits(cipher string) string {
	for _, bits := range []string{"128", "192", "256"} {
		if strings.HasPrefix(cipher, "aes"+bits) {
			return bits
		}
	}
	return ""
}

// nearest is where an alternative differs from the entry that it is nearest to, the first of equals.
func nearest(entries int, compare func(i int) (differences, string)) string {
	var best differences
	name := ""
	for i := range entries {
		if d, entry := compare(i); name == "" || d.distance < best.distance {
			best, name = d, entry
		}
	}
	if name == "" {
		return "the policy accepts nothing"
	}
	return strings.Join(best.phrases, ", ") + "; the nearest of the policy is " + name
}

// unread is the reason for what no policy can accept.
func unread(what string) string { return "no policy can accept it here: " + what }

// durations are the life durations of a transform as they are offered, with the
// form of their attributes: RFC 2409, Appendix A lets them come in either.
func durations(p payload.ProtocolID, as []payload.Attribute) string {
	typeClass, durationClass := lifeClasses(p)
	unit := map[uint64]string{uint64(payload.LifeSeconds): "s", uint64(payload.LifeKilobytes): "kB"}
	var parts []string
	last := ""
	for _, a := range as {
		v, ok := a.Uint()
		switch {
		case !ok:
		case a.Type == typeClass:
			last = unit[v]
		case a.Type == durationClass:
			form := "TLV"
			if a.Basic {
				form = "TV"
			}
			parts = append(parts, fmt.Sprintf("%d%s (%s)", v, last, form))
		}
	}
	if parts == nil {
		return fmt.Sprintf("none, which is %ds", int(DefaultLifetime.Seconds()))
	}
	return strings.Join(parts, ", ")
}
