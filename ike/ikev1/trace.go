package ikev1

import (
	"github.com/ipseclab/ipseclab/ike"
	"github.com/ipseclab/ipseclab/ike/payload"
	"github.com/ipseclab/ipseclab/internal/trace"
)

// record is a message for the trace.
func (sa *SA) record(sent bool, h payload.Header, number int, fields []trace.Field) trace.IKEMessage {
	return trace.IKEMessage{
		Sent: sent, Local: sa.local.String(), Remote: sa.remote.String(),
		CookieI: h.CookieI[:], CookieR: h.CookieR[:],
		Exchange: h.Exchange.String(), MessageID: h.MessageID, Number: number,
		Encrypted: h.Flags&payload.Encrypted != 0, Length: int(h.Length), Payloads: fields,
	}
}

// heard traces a received message; number is 0 when its place in the exchange
// is not known, note says what was odd about it.
func (sa *SA) heard(m *message, number int, note string) {
	if sa.env.Config.Trace == nil {
		return
	}
	if m.chain == nil && m.Flags&payload.Encrypted == 0 {
		_ = m.parse() // to show what was ignored, as far as it can be read
	}
	r := sa.record(false, m.Header, number, ike.Describe(m.chain))
	if m.Flags&payload.Commit != 0 {
		note = join(note, "commit bit set")
	}
	if m.malformed != nil {
		note = join(note, m.malformed.Error())
	}
	r.Note = note
	sa.env.Config.Record(r)
}

// describeAll is the decoded form of payloads that we built.
func describeAll(ps []payload.Payload) []trace.Field {
	items := make([]payload.Item, len(ps))
	for i, p := range ps {
		items[i] = payload.Item{Payload: p}
	}
	return ike.Describe(items)
}

// negotiated traces a change of state of the main mode.
func (sa *SA) negotiated(state string, err error) {
	n := sa.negotiation("main mode", state, sa.initiator, err)
	if sa.choice.Number != 0 || sa.choice.Proposal != (ike.MainModeProposal{}) {
		n.Chosen = sa.choice.Proposal.String()
	}
	sa.env.Config.Record(n)
}

func (sa *SA) negotiation(exchange, state string, initiator bool, err error) trace.Negotiation {
	n := trace.Negotiation{
		Exchange: exchange, State: state, Role: "responder", Local: sa.local.String(), Remote: sa.remote.String(),
		CookieI: append([]byte(nil), sa.cookies.Initiator[:]...), CookieR: append([]byte(nil), sa.cookies.Responder[:]...),
	}
	if initiator {
		n.Role = "initiator"
	}
	if err != nil {
		n.Code, n.Reason = int(ike.CodeOf(err)), ike.ReasonOf(err)
	}
	return n
}

func join(a, b string) string {
	if a == "" || b == "" {
		return a + b
	}
	return a + "; " + b
}
