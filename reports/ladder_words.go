package reports

import (
	"fmt"
	"slices"
	"strings"

	"github.com/ipseclab/ipseclab/internal/trace"
)

// account is what both sides of a negotiation say at its end about how it came about.
type account struct{ initiator, responder testimony }

// testimony is what one side says; node "" : it said nothing.
type testimony struct {
	node string
	trace.Negotiation
}

// exchangeKey names an exchange in messages and negotiations alike. The
// responder's cookie is not in message 1.
type exchangeKey struct {
	cookieI, exchange string
	messageID         uint32
}

// accountsOf collects the outcomes that explain themselves. Of several outcomes of one
// exchange on one side the first counts.
func accountsOf(events []trace.Event) map[exchangeKey]*account {
	all := map[exchangeKey]*account{}
	for _, e := range events {
		n, ok := e.Body.(trace.Negotiation)
		if !ok || n.State != "established" && n.State != "failed" {
			continue
		}
		k := exchangeKey{n.CookieI.String(), n.Exchange, n.MessageID}
		a := all[k]
		if a == nil {
			a = &account{}
			all[k] = a
		}
		side := &a.responder
		if n.Role == "initiator" {
			side = &a.initiator
		}
		if side.node == "" {
			*side = testimony{e.Node, n}
		}
	}
	return all
}

// words are what a report says at a message about the decision that it carries.
type words struct {
	Tag      tag // beside the arrow; no text: none
	Decision *decisionView
	Proof    *proofView
}

// decisionView is an offer with its verdicts.
type decisionView struct {
	Heading  string
	Bad      string // why it came to nothing
	Rows     []trace.Alternative
	Omitted  int
	Accepted []string // by the policy of By
	By       string
	Facts    []detail
}

// proofView is who proves what, and how the other side judged it.
type proofView struct {
	Heading string
	Bad     string
	Facts   []detail
	Notes   []string
}

// wordsAt are those for a message of an exchange.
func (a *account) wordsAt(m *message) (w words) {
	if a == nil || m.Retransmit > 0 || m.Number == 0 {
		return w
	}
	quick, aggressive := m.Exchange == "quick mode", m.Exchange == "aggressive mode"
	switch m.Number {
	case 1:
		w.offer(a)
	case 2:
		w.choice(a)
		if aggressive {
			w.proof(a.responder, a.initiator)
		}
		if quick || aggressive {
			w.nat(a.initiator)
		}
	case 3:
		if aggressive {
			w.proof(a.initiator, a.responder)
		}
		w.nat(a.responder)
	case 4:
		if !quick {
			w.nat(a.initiator)
		}
	case 5:
		if !quick {
			w.proof(a.initiator, a.responder)
		}
	case 6:
		if !quick {
			w.proof(a.responder, a.initiator)
		}
	}
	return w
}

// offer is message 1 as the responder judged it, or else what the initiator knows.
func (w *words) offer(a *account) {
	by := a.responder
	heading := fmt.Sprintf("The offer, as %s judges it", by.node)
	if by.node == "" || len(by.Offered) == 0 {
		by = a.initiator
		heading = fmt.Sprintf("The offer; of its fate %s knows this", by.node)
	}
	if len(by.Offered) == 0 {
		return
	}
	d := &decisionView{Heading: heading, Rows: by.Offered, Omitted: by.Omitted, Accepted: by.Accepted, By: by.node}
	if by.Preference != "" {
		d.fact("Whose order decides", by.Preference)
	}
	if by.PFS != "" {
		d.fact("Perfect forward secrecy", by.PFS)
	}
	d.lifetime(by)
	w.Decision = d
	total := len(by.Offered) + by.Omitted
	for i, o := range by.Offered {
		if o.Verdict == trace.Chosen && total > 1 {
			w.Tag = tag{"good", fmt.Sprintf("choice %d of %d", i+1, total)}
		}
		if o.Verdict == trace.Chosen {
			return
		}
	}
	d.Bad = by.Reason
	w.Tag = tag{"bad", fmt.Sprintf("none of %d chosen", total)}
}

// choice is message 2 as the initiator takes it.
func (w *words) choice(a *account) {
	by := a.initiator
	if by.node == "" || len(by.Offered) == 0 || by.Chosen == "" {
		return
	}
	d := &decisionView{Heading: fmt.Sprintf("The choice, as %s takes it", by.node), Rows: by.Offered, Omitted: by.Omitted}
	d.fact("Agreed on", by.Chosen)
	if by.PFS != "" {
		d.fact("Perfect forward secrecy", by.PFS)
	}
	d.lifetime(by)
	w.Decision = d
}

// nat is what one side makes of the peer's NAT-D payloads, or of the addresses in a quick mode.
func (w *words) nat(by testimony) {
	n := by.NAT
	if len(n.Explanation) == 0 {
		return
	}
	if w.Decision == nil {
		w.Decision = &decisionView{Heading: fmt.Sprintf("NAT traversal, as %s has it", by.node)}
	}
	if len(n.Own) > 0 {
		w.Decision.fact("NAT traversal of "+by.node, strings.Join(n.Own, ", "))
		w.Decision.fact("NAT traversal of its peer", first(strings.Join(n.Peer, ", "), "none"))
	}
	for _, sentence := range append(slices.Clone(n.Explanation), n.Why) {
		if sentence != "" {
			w.Decision.fact("NAT", sentence)
		}
	}
}

func (d *decisionView) fact(name, value string) { d.Facts = append(d.Facts, detail{name, value}) }

func (d *decisionView) lifetime(by testimony) {
	l := by.Lifetime
	if l.Kept == "" {
		return
	}
	own := "in the policy of " + by.node
	if by.Role == "initiator" {
		own = "asked for by the responder"
	}
	value := l.Offered + " offered, "
	if l.Own != "" {
		value += l.Own + " " + own + ", "
	}
	d.fact("Lifetime", fmt.Sprintf("%s%s kept (%s)", value, l.Kept, l.Why))
}

// proof is what one side shows of itself, and what the other makes of it.
func (w *words) proof(prover, judge testimony) {
	own, judged := prover.Authentication.Own, judge.Authentication.Peer
	if own.Identity == "" && judged.Identity == "" {
		return
	}
	name := prover.node
	if name == "" {
		name = judged.Identity
	}
	p := &proofView{Heading: fmt.Sprintf("%s proves who it is", name)}
	add := func(name, value string) {
		if value != "" {
			p.Facts = append(p.Facts, detail{name, value})
		}
	}
	method := first(prover.Authentication.Method, judge.Authentication.Method)
	add("Method", method)
	add("Identity", first(own.Identity, judged.Identity))
	add("Proof", first(own.How, judged.How))
	c := own.Certificate
	if c == (trace.Certificate{}) {
		c = judged.Certificate
	}
	add("Certificate", c.Subject)
	add("Issued by", c.Issuer)
	add("Serial number", c.Serial)
	if c.NotBefore != "" {
		add("Valid", c.NotBefore+" – "+c.NotAfter)
	}
	add("Key", c.Key)
	add("Unreadable", c.Fault)
	if own.More > 0 {
		add("Beside it", plural(own.More, "more certificate"))
	}
	for _, r := range prover.Authentication.Requested {
		add("Was asked for one of", r)
	}
	for _, r := range prover.Authentication.Requests {
		add("Asks for one of", r)
	}
	p.Notes = own.Explanation
	if judge.node != "" && judged.State != "" {
		add("Judged by "+judge.node, judged.State)
		p.Notes = append(append([]string(nil), p.Notes...), judged.Explanation...)
	}
	class := "good"
	if judged.State != "proved" {
		class = "note"
	}
	if judge.State == "failed" && judged.State != "proved" {
		p.Heading, p.Bad, class = name+" tries to prove who it is", judge.Reason, "bad"
	}
	w.Tag = tag{class, first(own.Identity, judged.Identity) + " by " + method}
	w.Proof = p
}

// first is the first text that is not empty.
func first(texts ...string) string {
	for _, s := range texts {
		if s != "" {
			return s
		}
	}
	return ""
}
