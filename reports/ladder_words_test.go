package reports

import (
	"bytes"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/ipseclab/ipseclab/internal/trace"
)

// negotiated is a phase 1 of two messages and two proofs, with what each side says at its end.
func negotiated(exchange string, proofs [2]int, initiator, responder trace.Negotiation) []trace.Event {
	var events []trace.Event
	cookie := trace.Hex("c")
	for _, n := range []int{1, 2, proofs[0], proofs[1]} {
		sender, local, remote := "a", "10.0.0.1:500", "10.0.0.2:500"
		if n%2 == 0 {
			sender, local, remote = "b", remote, local
		}
		m := trace.IKEMessage{Sent: true, Local: local, Remote: remote, CookieI: cookie, Exchange: exchange, Number: n, Payloads: []trace.Field{{Name: "Nonce"}}}
		events = append(events, trace.Event{Node: sender, Body: m})
	}
	for node, n := range map[string]*trace.Negotiation{"a": &initiator, "b": &responder} {
		n.Exchange, n.CookieI, n.Role = exchange, cookie, map[string]string{"a": "initiator", "b": "responder"}[node]
		if n.State != "" {
			events = append(events, trace.Event{At: 1, Node: node, Body: *n})
		}
	}
	return events
}

func messagesByNumber(events []trace.Event) map[int]*message {
	all := map[int]*message{}
	for _, r := range newLadder(events, []string{"a", "b"}, nil, nil).rows {
		if r.message != nil {
			all[r.message.Number] = r.message
		}
	}
	return all
}

func TestWordsAtMessages(t *testing.T) {
	offered := []trace.Alternative{{Number: 1, Transform: "1", Proposal: "des", Verdict: trace.Refused, Reason: "too <weak>"}, {Number: 1, Transform: "2", Proposal: "3des", Verdict: trace.Chosen}}
	initiator := trace.Negotiation{State: "established", Chosen: "3des", Offered: []trace.Alternative{{Verdict: trace.NotChosen}, {Verdict: trace.Chosen}}, Authentication: trace.Authentication{
		Method: "RSA signatures", Own: trace.Proof{Identity: "CN=a", How: "SIG_I", Certificate: trace.Certificate{Subject: "CN=a", Issuer: "CN=root"}, Explanation: []string{"the other one has expired"}},
		Peer: trace.Proof{Identity: "10.0.0.2", State: "proved"},
	}}
	responder := trace.Negotiation{State: "established", Offered: offered, Accepted: []string{"3des", "aes"}, Preference: "initiator's order",
		Lifetime:       trace.Lifetimes{Offered: "8h", Own: "1h", Kept: "8h", Why: "as offered"},
		Authentication: trace.Authentication{Own: trace.Proof{Identity: "10.0.0.2"}, Peer: trace.Proof{Identity: "CN=a", State: "proved"}}}

	for exchange, proofs := range map[string][2]int{"main mode": {5, 6}, "aggressive mode": {3, 2}} {
		at := messagesByNumber(negotiated(exchange, proofs, initiator, responder))
		require.Equal(t, tag{"good", "choice 2 of 2"}, at[1].words.Tag)
		d := at[1].words.Decision
		require.Equal(t, "The offer, as b judges it", d.Heading)
		require.Equal(t, offered, d.Rows)
		require.Equal(t, []detail{{"Whose order decides", "initiator's order"}, {"Lifetime", "8h offered, 1h in the policy of b, 8h kept (as offered)"}}, d.Facts)
		require.Equal(t, "The choice, as a takes it", at[2].words.Decision.Heading)
		p := at[proofs[0]].words
		require.Equal(t, tag{"good", "CN=a by RSA signatures"}, p.Tag)
		require.Equal(t, "a proves who it is", p.Proof.Heading)
		require.Contains(t, p.Proof.Facts, detail{"Issued by", "CN=root"})
		require.Contains(t, p.Proof.Facts, detail{"Judged by b", "proved"})
		require.Equal(t, []string{"the other one has expired"}, p.Proof.Notes)
		require.Equal(t, "b proves who it is", at[proofs[1]].words.Proof.Heading)
	}

	refused := responder
	refused.State, refused.Reason, refused.Offered = "failed", "nothing in common", offered[:1]
	at := messagesByNumber(negotiated("main mode", [2]int{5, 6}, trace.Negotiation{}, refused))
	require.Equal(t, tag{"bad", "none of 1 chosen"}, at[1].words.Tag)
	require.Equal(t, "nothing in common", at[1].words.Decision.Bad)
	require.Nil(t, at[2].words.Decision, "the initiator has not said anything")

	unknown := responder
	unknown.State, unknown.Reason, unknown.Authentication.Peer.State = "failed", "the authority is unknown", "claimed"
	at = messagesByNumber(negotiated("main mode", [2]int{5, 6}, initiator, unknown))
	require.Equal(t, "a tries to prove who it is", at[5].words.Proof.Heading)
	require.Equal(t, "the authority is unknown", at[5].words.Proof.Bad)
	require.Equal(t, "bad", at[5].words.Tag.Class)

	require.Empty(t, messagesByNumber(negotiated("main mode", [2]int{5, 6}, trace.Negotiation{}, trace.Negotiation{}))[1].words)
}

// What a trace says is text on the page, whatever is in it.
func TestWordsAreEscaped(t *testing.T) {
	responder := trace.Negotiation{State: "failed", Reason: "<script>", Offered: []trace.Alternative{{Proposal: "<b>", Verdict: "a \"b", Reason: "<i>"}}, Accepted: []string{"<u>"}}
	view := newLadderView(newLadder(negotiated("main mode", [2]int{5, 6}, trace.Negotiation{}, responder), []string{"a", "b"}, nil, nil))
	var b bytes.Buffer
	require.NoError(t, templates.ExecuteTemplate(&b, "rungs", view.Rows))
	for _, bad := range []string{"<script>", "<b>", "<i>", "<u>", `a "b`} {
		require.NotContains(t, b.String(), bad)
	}
	for _, good := range []string{"&lt;script&gt;", "&lt;b&gt;", "&lt;i&gt;", "&lt;u&gt;"} {
		require.Contains(t, b.String(), good)
	}
}

// What each side has made of NATs stands at the message that told it.
func TestWordsAboutNAT(t *testing.T) {
	nat := func(who string) trace.Negotiation {
		return trace.Negotiation{State: "established", NAT: trace.NATTraversal{Own: []string{"RFC 3947", "-02"}, Explanation: []string{who + " is <behind> a NAT"}, Why: "odd"}}
	}
	at := messagesByNumber(negotiated("main mode", [2]int{3, 4}, nat("a"), nat("b")))
	want := func(by, peer, who string) *decisionView {
		return &decisionView{Heading: "NAT traversal, as " + by + " has it", Facts: []detail{
			{"NAT traversal of " + by, "RFC 3947, -02"}, {"NAT traversal of its peer", peer}, {"NAT", who + " is <behind> a NAT"}, {"NAT", "odd"},
		}}
	}
	require.Equal(t, want("b", "none", "b"), at[3].words.Decision)
	require.Equal(t, want("a", "none", "a"), at[4].words.Decision)
	at = messagesByNumber(negotiated("aggressive mode", [2]int{3, 2}, nat("a"), nat("b")))
	require.Equal(t, want("a", "none", "a"), at[2].words.Decision)
	require.Equal(t, want("b", "none", "b"), at[3].words.Decision)
	at = messagesByNumber(negotiated("quick mode", [2]int{3, 4}, nat("a"), nat("b")))
	require.Equal(t, want("b", "none", "b"), at[3].words.Decision)
	require.Nil(t, at[4].words.Decision)
}
