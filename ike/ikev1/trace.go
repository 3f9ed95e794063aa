package ikev1

import (
	"slices"

	"github.com/ipseclab/ipseclab/ike"
	"github.com/ipseclab/ipseclab/ike/payload"
	"github.com/ipseclab/ipseclab/internal/trace"
)

// record is a message for the trace; without one, only its place in the exchange.
func (sa *SA) record(sent bool, h payload.Header, number int, chain []payload.Item) trace.IKEMessage {
	if sa.env.Config.Trace == nil {
		return trace.IKEMessage{Number: number}
	}
	return trace.IKEMessage{
		Sent: sent, Local: sa.local.String(), Remote: sa.remote.String(),
		CookieI: h.CookieI[:], CookieR: h.CookieR[:],
		Exchange: h.Exchange.String(), MessageID: h.MessageID, Number: number,
		Encrypted: h.Flags&payload.Encrypted != 0, Length: int(h.Length), Payloads: ike.Describe(chain),
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
	chain := m.chain
	if sa.aggressive && m.Flags&payload.Encrypted == 0 {
		chain = readable(chain)
	}
	r := sa.record(false, m.Header, number, chain)
	if m.remote.IsValid() {
		r.Local, r.Remote = m.local.String(), m.remote.String()
	}
	if m.Flags&payload.Commit != 0 {
		note = join(note, "commit bit set")
	}
	if m.malformed != nil {
		note = join(note, m.malformed.Error())
	}
	r.Note = note
	sa.env.Config.Record(r)
}

// ignore traces and counts a received message that changes nothing, and why.
func (sa *SA) ignore(m *message, number int, why string) {
	sa.env.Statistics.InvalidPackets++
	sa.heard(m, number, "ignored: "+why)
}

// items are payloads that we built, as a chain.
func items(ps []payload.Payload) []payload.Item {
	chain := make([]payload.Item, len(ps))
	for i, p := range ps {
		chain[i] = payload.Item{Payload: p}
	}
	return chain
}

// negotiated traces and audits a change of state of the main mode.
func (sa *SA) negotiated(state string, err error) {
	sa.audit(state, err)
	if sa.env.Config.Trace == nil {
		return
	}
	n := sa.negotiation(sa.phase1().String(), state, sa.initiator, err)
	if sa.choice.Number != 0 || sa.choice.Proposal != (ike.MainModeProposal{}) {
		n.Chosen = sa.choice.Proposal.String()
	}
	if outcome(state) {
		sa.explain(&n, err)
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

// readable are the payloads of a received message of aggressive mode, for the trace. Those that a
// method may encrypt one by one were left as they came; where none of the methods in the message does, they are read.
func readable(chain []payload.Item) []payload.Item {
	offers := payload.All[*payload.SA](chain)
	for _, offer := range offers {
		for _, p := range offer.Proposals {
			for _, t := range p.Transforms {
				if slices.ContainsFunc(t.Attributes, encrypts) {
					return chain
				}
			}
		}
	}
	if len(offers) == 0 {
		return chain
	}
	chain = slices.Clone(chain)
	for i := range chain {
		if _, raw := chain[i].Payload.(payload.Raw); raw {
			_ = payload.Decode(chain[i : i+1]) // what is malformed is shown as it came
		}
	}
	return chain
}

// encrypts reports whether an attribute is a method of public key encryption.
func encrypts(a payload.Attribute) bool {
	v, _ := a.Uint()
	return a.Type == payload.AttrAuthMethod && slices.Contains([]uint64{
		uint64(payload.AuthRSAEncryption), uint64(payload.AuthRevisedRSAEncryption),
		uint64(payload.AuthXAUTHInitRSAEnc), uint64(payload.AuthXAUTHRespRSAEnc),
		uint64(payload.AuthXAUTHInitRevised), uint64(payload.AuthXAUTHRespRevised),
	}, v)
}
