package mux_test

import (
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ipseclab/ipseclab/ike"
	"github.com/ipseclab/ipseclab/ike/payload"
	"github.com/ipseclab/ipseclab/internal/ipsec"
	"github.com/ipseclab/ipseclab/internal/trace"
)

// The whole of the default schedule: copies after 1, 2, 4, 8, 16 and 32 s, and 32 s more.
const schedule = 95 * time.Second

// Each of the nine messages is lost once, and then each of the copies that follows from it too.
func TestEachMessageLost(t *testing.T) {
	for lost := 1; lost <= 9; lost++ {
		n, a, b := newPair(t)
		n.fate = func(k int, _ ike.Datagram) []time.Duration {
			if k == lost {
				return nil
			}
			return []time.Duration{n.latency}
		}
		a.request(b)
		n.run(3 * time.Second)
		n.wantPairs("a lost message is repaired within two gaps", 1)
		require.Greater(t, len(n.sent), 9, "message %d was sent again", lost)
		n.run(5 * time.Minute)
		require.LessOrEqual(t, len(n.sent), 15, "nothing goes on once both sides are done")
		require.Equal(t, 1, count[ike.EventSAs](a))
		require.Equal(t, 1, count[ike.EventSAs](b))
		require.Empty(t, a.failed)
	}
}

func TestEachMessageDuplicated(t *testing.T) {
	for twice := 1; twice <= 9; twice++ {
		for _, gap := range []time.Duration{0, 7 * time.Millisecond, 40 * time.Millisecond, 5 * time.Second} {
			n, a, b := newPair(t)
			n.fate = func(k int, _ ike.Datagram) []time.Duration {
				if k == twice {
					return []time.Duration{n.latency, n.latency + gap}
				}
				return []time.Duration{n.latency}
			}
			a.request(b)
			n.run(5 * time.Minute)
			n.wantPairs("a copy changes nothing", 1)
			require.LessOrEqual(t, len(n.sent), 13, "a copy does not double what follows")
			require.Equal(t, 1, count[ike.EventSAs](a))
			require.Equal(t, 1, count[ike.EventSAs](b))
		}
	}
}

// A copy of a request gets the bytes that answered it.
func TestStoredAnswer(t *testing.T) {
	n, a, b := newPair(t)
	a.request(b)
	n.run(time.Second)
	answers := slices.Clone(n.sent)
	for request, answer := range map[int]int{5: 6, 7: -1, 9: -1, 1: -1, 3: -1} {
		before := len(n.sent)
		d := answers[request-1]
		b.mux.HandleDatagram(n.now, ike.Datagram{Local: d.Remote, Remote: d.Local, Payload: d.Payload})
		b.drain()
		if answer < 0 {
			require.Len(t, n.sent, before, "a copy of datagram %d needs no answer any more", request)
			continue
		}
		require.Len(t, n.sent, before+1)
		require.Equal(t, answers[answer-1].Payload, n.sent[before].Payload, "a copy of datagram %d gets the stored answer", request)
	}
	// Quick mode message 2 again: the initiator repeats message 3.
	d, before := answers[7], len(n.sent)
	a.mux.HandleDatagram(n.now, ike.Datagram{Local: d.Remote, Remote: d.Local, Payload: d.Payload})
	a.drain()
	require.Equal(t, answers[8].Payload, n.sent[before].Payload)
	require.True(t, a.noted("answers a copy of message 2"))
}

func TestEachMessageLate(t *testing.T) {
	for late := 1; late <= 9; late++ {
		n, a, b := newPair(t)
		n.fate = func(k int, _ ike.Datagram) []time.Duration {
			if k == late {
				return []time.Duration{1500 * time.Millisecond}
			}
			return []time.Duration{n.latency}
		}
		a.request(b)
		n.run(5 * time.Minute)
		n.wantPairs("a message that is overtaken by its copy does no harm", 1)
	}
}

// One byte of one message is flipped, for every byte: the copies repair it, or it did not matter.
func TestEachMessageCorrupted(t *testing.T) {
	n, a, b := newPair(t)
	a.request(b)
	n.run(time.Second)
	var lengths []int
	for _, d := range n.sent {
		lengths = append(lengths, len(d.Payload))
	}
	for message := 1; message <= 9; message++ {
		for at := 0; at < lengths[message-1]; at += 3 {
			n, a, b := newPair(t)
			n.alter = func(k int, bs []byte) []byte {
				if k == message {
					bs[at] ^= 0x41
				}
				return bs
			}
			a.request(b)
			n.run(6 * time.Minute)
			// A flip in what main mode protects by its hashes alone (the offer, a nonce, a public value) ends it:
			// every copy of a later message carries what was agreed. In message 5 it is the notification behind
			// HASH_I, which no hash covers but which the IV of message 6 comes from. The next main mode succeeds.
			if len(a.failed) > 0 {
				require.LessOrEqual(t, message, 5, "from message 6 on a flipped byte is repaired by a copy")
				n.wantAgreement("both sides failed")
				a.request(b)
				n.run(8 * time.Minute)
			}
			n.wantPairs("the peers recover", 1)
		}
	}
}

func TestWrongKey(t *testing.T) {
	n, a, b := newPair(t)
	b.psk = "another"
	a.request(b)
	a.request(b)
	n.run(10 * time.Second)
	require.True(t, b.noted("the pre-shared keys differ"), "the responder knows at once")
	require.Empty(t, a.failed, "an unprotected notification does not end the exchange")
	n.run(4 * time.Minute)
	n.wantPairs("no pair with different keys", 0)
	require.Len(t, a.failed, 2, "every request that waited fails")
	a.wantFailure("the initiator ran out of time", "no response to message 5", ike.CodeTimedOut)
	a.wantFailure("and gives the hint it got", "unauthenticated hint: PAYLOAD-MALFORMED", ike.CodeTimedOut)
	g := traced[trace.Negotiation](b)
	require.Equal(t, "failed", g[len(g)-1].State)
	require.Contains(t, g[len(g)-1].Reason, "the pre-shared keys differ")
	require.Equal(t, 13801, g[len(g)-1].Code)
	require.Len(t, traced[trace.IKEKeys](b), 1, "the key of the failed main mode is in the trace")
	clear := 0
	for _, d := range n.sent {
		if exchangeOf(d) == payload.Informational {
			clear++
		}
	}
	require.Equal(t, 1, clear, "copies of message 5 are not answered each time")
	require.Empty(t, a.mux.MainModes())
	require.Empty(t, b.mux.MainModes())
}

func TestNobodyAnswers(t *testing.T) {
	n, a, b := newPair(t)
	n.fate = func(int, ike.Datagram) []time.Duration { return nil }
	a.request(b)
	n.run(schedule - time.Millisecond)
	require.Empty(t, a.failed)
	require.Equal(t, []string{"main mode 1", "main mode 1 again", "main mode 1 again", "main mode 1 again", "main mode 1 again", "main mode 1 again", "main mode 1 again"}, a.messages(true))
	n.run(schedule)
	a.wantFailure("after the last gap nobody is there", "no response to message 1", ike.CodeNoResponse)
	for _, d := range n.sent {
		require.Equal(t, n.sent[0].Payload, d.Payload, "copies are identical")
	}
	_, waits := a.mux.NextDeadline()
	require.False(t, waits, "nothing is left to wait for")
}

func TestRetransmissionTimes(t *testing.T) {
	n, a, b := newPair(t)
	a.config.Retransmit = []time.Duration{time.Second, 3 * time.Second}
	a.reboot()
	var at []time.Duration
	n.fate = func(int, ike.Datagram) []time.Duration {
		at = append(at, n.now.Sub(n.start))
		return nil
	}
	a.request(b)
	n.run(time.Minute)
	require.Equal(t, []time.Duration{0, time.Second, 4 * time.Second}, at)
	g := traced[trace.Negotiation](a)
	require.Equal(t, "failed", g[len(g)-1].State)
}

// From some datagram on nothing arrives any more: both sides give up, and neither keeps half of anything.
func TestPeerFallsSilent(t *testing.T) {
	for from := 2; from <= 8; from++ {
		n, a, b := newPair(t)
		n.fate = func(k int, _ ike.Datagram) []time.Duration {
			if k >= from {
				return nil
			}
			return []time.Duration{n.latency}
		}
		a.request(b)
		n.run(10 * time.Minute)
		n.wantPairs("no pair", 0)
		a.wantFailure("the initiator", "no response", map[bool]ike.Code{true: ike.CodeNoResponse, false: ike.CodeTimedOut}[from == 2])
	}
}

// Message 3 and all its copies are lost: the responder deletes its half at the initiator, which has both.
func TestMessage3NeverArrives(t *testing.T) {
	n, a, b := newPair(t)
	n.fate = func(_ int, d ike.Datagram) []time.Duration {
		if exchangeOf(d) == payload.QuickMode && len(d.Payload) < 100 {
			return nil
		}
		return []time.Duration{n.latency}
	}
	a.request(b)
	n.run(time.Second)
	require.Len(t, a.in, 1)
	require.Empty(t, b.in)
	n.run(3 * time.Minute)
	n.wantPairs("the Delete takes the initiator's pair away", 0)
}

func TestNoMainModeProposalInCommon(t *testing.T) {
	n, a, b := newPair(t)
	b.mainMode.Proposals = []ike.MainModeProposal{{Cipher: "aes256-cbc", Hash: "sha256", Group: 14}}
	a.request(b)
	n.run(5 * time.Minute)
	a.wantFailure("the hint says why", "unauthenticated hint: NO-PROPOSAL-CHOSEN", ike.CodeNoResponse)
	require.Equal(t, []string{"main mode started", "main mode failed"}, b.negotiations(), "seven copies are one negotiation")
	g := traced[trace.Negotiation](b)[1]
	require.Equal(t, 13868, g.Code)
	require.Contains(t, g.Reason, "peer offers 3des-cbc/sha1/2, pre-shared key, policy accepts aes256-cbc/sha256/14, pre-shared key")
	var answers [][]byte
	for _, d := range n.sent {
		if exchangeOf(d) == payload.Informational {
			answers = append(answers, d.Payload)
		}
	}
	require.Len(t, answers, 7, "each copy of the request gets the stored answer")
	require.Equal(t, answers[0], answers[6])
	require.Empty(t, b.mux.MainModes())
}

func TestNoQuickModeProposalInCommon(t *testing.T) {
	n, a, b := newPair(t)
	b.quickMode.Proposals = []ipsec.Proposal{proposal(ipsec.Transform{Protocol: ipsec.ESP, Cipher: "aes128-gcm16"})}
	a.request(b)
	n.run(time.Second)
	n.wantPairs("no pair", 0)
	require.Len(t, a.failed, 1, "a protected notification ends the exchange at once")
	require.ErrorIs(t, a.failed[0].Err, &ike.PeerError{Notify: payload.NotifyNoProposalChosen})
	require.Equal(t, ike.CodePolicyMatch, ike.CodeOf(a.failed[0].Err))
	g := traced[trace.Negotiation](b)
	require.Equal(t, 13868, g[len(g)-1].Code)
	require.Contains(t, g[len(g)-1].Reason, "peer offers ESP[3des-cbc,hmac-sha1-96]")
	require.Len(t, a.mux.MainModes(), 1, "the main mode stays")

	b.quickMode.Proposals = a.quickMode.Proposals
	a.request(b)
	n.run(2 * time.Second)
	n.wantPairs("and serves the next request", 1)
}

// The notification is lost: a copy of message 1 gets it again.
func TestRefusalIsRepeated(t *testing.T) {
	n, a, b := newPair(t)
	b.refuses = true
	lost := 0
	n.fate = func(_ int, d ike.Datagram) []time.Duration {
		if exchangeOf(d) == payload.Informational && lost < 2 {
			lost++
			return nil
		}
		return []time.Duration{n.latency}
	}
	a.request(b)
	n.run(2 * time.Second)
	require.Empty(t, a.failed)
	n.run(4 * time.Second)
	a.wantFailure("the third copy of the refusal arrives", "INVALID-ID-INFORMATION", ike.CodeIDPayload)
	require.Equal(t, []string{"quick mode started", "quick mode failed"}, b.negotiations()[2:], "copies are not new negotiations")
}

// Two quick modes are under way and one is refused: the SPI in the notification says which.
func TestRefusalNamesItsQuickMode(t *testing.T) {
	n, a, b := newPair(t)
	good := a.quickMode
	a.request(b)
	a.quickMode = ike.QuickMode{Proposals: []ipsec.Proposal{proposal(ipsec.Transform{Protocol: ipsec.ESP, Cipher: "aes256-gcm16"})}}
	bad := a.request(b)
	a.quickMode = good
	a.request(b)
	n.run(time.Second)
	n.wantPairs("the other two succeed", 2)
	require.Len(t, a.failed, 1)
	require.Equal(t, bad, a.failed[0].RequestID)
}

func TestPFSOnOneSide(t *testing.T) {
	n, a, b := newPair(t)
	a.quickMode.PFS, a.quickMode.PFSGroup = true, 14
	a.request(b)
	n.run(time.Second)
	n.wantPairs("a responder that does not ask for PFS does it when offered", 1)

	b.quickMode.PFS = true
	a.request(b)
	n.run(2 * time.Second)
	n.wantPairs("one that asks for another group refuses", 1)
	require.Contains(t, traced[trace.Negotiation](b)[5].Reason, "policy accepts ESP[3des-cbc,hmac-sha1-96]:3600s/100000kB pfs group 2")

	a.failed = nil
	a.quickMode.PFS = false
	a.request(b)
	n.run(3 * time.Second)
	n.wantPairs("one that asks for PFS refuses an offer without", 1)
	a.wantFailure("the initiator is told", "NO-PROPOSAL-CHOSEN", ike.CodePolicyMatch)
}

func TestNoRuleForThePeer(t *testing.T) {
	n, a, b := newPair(t)
	b.deaf = true
	a.request(b)
	n.run(5 * time.Minute)
	a.wantFailure("nothing answers", "no response to message 1", ike.CodeNoResponse)
	require.Empty(t, b.messages(true))
	require.True(t, b.noted("no rule concerns this peer"))

	a.failed = nil
	a.deaf = true
	a.request(b)
	a.wantFailure("nor is anything asked", "no rule of the policy concerns 10.0.0.2", ike.CodeNoPolicy)
}

func TestWhatCannotBeOffered(t *testing.T) {
	n, a, b := newPair(t)
	inverted := proposal(ipsec.Transform{Protocol: ipsec.AH, Auth: "hmac-sha1-96"})
	inverted.Transforms = append(inverted.Transforms, des3)
	a.quickMode.Proposals = []ipsec.Proposal{
		inverted, proposal(ipsec.Transform{Protocol: ipsec.ESP, Cipher: "null"}), proposal(ipsec.Transform{Protocol: ipsec.AH, Cipher: "null", Auth: "hmac-sha1-96"}),
		proposal(ipsec.Transform{Protocol: ipsec.ESP, Cipher: "aes128-gcm16", Auth: "hmac-sha1-96"}), {},
	}
	a.request(b)
	n.run(time.Second)
	a.wantFailure("AH inside ESP", "AH[hmac-sha1-96]+ESP[3des-cbc,hmac-sha1-96]:3600s/100000kB is unsupported: a protection is ESP, AH, or ESP inside AH", ike.CodeNoPolicy)
	a.wantFailure("NULL that protects nothing", "ESP[null] is unsupported", ike.CodeNoPolicy)
	a.failed = nil

	a.quickMode.Proposals = append(a.quickMode.Proposals, proposal(des3))
	a.request(b)
	n.run(2 * time.Second)
	n.wantPairs("what can be offered is", 1)

	a.requestFor(b, ipsec.Selector{Src: ipsec.Host(a.addr), Dst: ipsec.Host(netipAddr("10.9.9.9"))})
	n.run(3 * time.Second)
	a.wantFailure("transport mode is for the two hosts alone", "transport mode between 10.0.0.1 and 10.0.0.2 cannot serve", ike.CodeNoPolicy)
	a.failed = nil

	a.psk = ""
	a.mux.DeletePeer(n.now, b.addr)
	a.request(b)
	a.wantFailure("no key, no main mode", "the pre-shared key is empty", ike.CodeNoPolicy)
	a.failed, a.psk = nil, "x"
	a.mainMode.Proposals = []ike.MainModeProposal{{Cipher: "aes128-gcm16", Hash: "sha1", Group: 2}}
	a.request(b)
	require.ErrorContains(t, a.failed[0].Err, `main mode cannot use the cipher "aes128-gcm16"`)
}

// b has restarted and has no SA that a knows of.
func TestPeerRestarts(t *testing.T) {
	n, a, b := newPair(t)
	a.request(b)
	n.run(time.Second)
	b.reboot()
	a.request(b)
	n.run(2 * time.Minute)
	require.Len(t, a.failed, 1, "nobody answers under the old main mode")
	a.wantFailure("the hint says that b does not know it", "unauthenticated hint: INVALID-COOKIE", ike.CodeTimedOut)
	require.Empty(t, a.mux.MainModes(), "so it is given up")

	a.failed = nil
	a.request(b)
	n.run(3 * time.Minute)
	require.Empty(t, a.failed, "the next request starts afresh")
	require.Len(t, b.in, 1)
}

func TestInitialContactCleansUp(t *testing.T) {
	n, a, b := newPair(t)
	a.request(b)
	n.run(time.Second)
	b.reboot()
	b.request(a)
	n.run(2 * time.Second)
	n.wantPairs("INITIAL-CONTACT of the restarted peer removes the old pair", 1)
	require.Len(t, a.mux.MainModes(), 1, "and the old main mode")
	require.Equal(t, 1, count[ike.EventMainModeGone](a))

	a.request(b)
	n.run(3 * time.Second)
	b.mux.DeletePeer(n.now, a.addr)
	b.drain()
	b.request(a)
	n.run(4 * time.Second)
	n.wantPairs("a host that still has SAs does not send it", 3)
}

// A host whose quick mode comes to its end under a main mode that the peer has
// deleted is not alone: the peer has the pair already, and would drop it.
func TestNoInitialContactWhileAQuickModeIsUnderWay(t *testing.T) {
	n, a, b := newPair(t)
	a.mainMode.QuickModes = 1
	lost := 0
	n.fate = func(_ int, d ike.Datagram) []time.Duration {
		if exchangeOf(d) == payload.QuickMode && len(d.Payload) < 100 && lost < 2 {
			lost++ // message 3, twice
			return nil
		}
		return []time.Duration{n.latency}
	}
	a.request(b)
	n.run(500 * time.Millisecond)
	require.Len(t, a.in, 1)
	require.Empty(t, a.mux.MainModes(), "its only quick mode is over")
	require.Empty(t, b.mux.MainModes())
	b.request(a)
	n.run(time.Minute)
	require.Empty(t, field(last(a, "main mode", 5).Payloads, "Notification"))
	n.wantPairs("both pairs", 2)
}

func TestSimultaneousStart(t *testing.T) {
	for _, offset := range []time.Duration{0, time.Millisecond, 5 * time.Millisecond, 11 * time.Millisecond, 17 * time.Millisecond, 23 * time.Millisecond} {
		n, a, b := newPair(t)
		a.request(b)
		n.run(offset)
		b.request(a)
		n.run(5 * time.Minute)
		n.wantPairs("both requests are served", 2)
		require.Equal(t, 0, count[ike.EventDeleteSAs](a)+count[ike.EventDeleteSAs](b))
		a.request(b)
		b.request(a)
		n.run(6 * time.Minute)
		n.wantPairs("and so are later ones", 4)
	}
}

func TestMasterKeyPFS(t *testing.T) {
	for name, limits := range map[string][2]int{"both": {1, 1}, "initiator": {1, 0}, "responder": {0, 1}, "two": {2, 2}} {
		t.Run(name, func(t *testing.T) {
			n, a, b := newPair(t)
			a.mainMode.QuickModes, b.mainMode.QuickModes = limits[0], limits[1]
			for i := range 4 {
				a.request(b)
				n.run(time.Duration(i+1) * 10 * time.Second)
			}
			for range 3 {
				a.request(b)
			}
			b.request(a)
			n.run(10 * time.Minute)
			n.wantPairs("each request is served", 8)
			if name == "both" {
				require.Equal(t, 8, count[ike.EventMainMode](a), "under a main mode of its own")
			}
			require.Empty(t, a.failed)
			require.Empty(t, b.failed)
		})
	}
}

func TestShutdown(t *testing.T) {
	n, a, b := newPair(t)
	a.request(b)
	n.run(time.Second)
	a.request(b) // under way when the policy changes
	a.mux.Shutdown(n.now)
	a.drain()
	require.Empty(t, a.mux.MainModes())
	a.wantFailure("a request under way fails", "its policy changed", ike.CodePolicyChange)
	n.run(2 * time.Second)
	require.Empty(t, b.mux.MainModes(), "the peer is told")
	require.Contains(t, b.negotiations(), "main mode deleted")
	_, waits := a.mux.NextDeadline()
	require.False(t, waits)

	a.failed = nil
	a.request(b)
	a.mux.DeletePeer(n.now, b.addr)
	a.drain()
	a.wantFailure("so does one that waits for a main mode", "its policy changed", ike.CodePolicyChange)
	a.request(b)
	n.run(3 * time.Second)
	require.Len(t, a.mux.MainModes(), 1, "the engine goes on")
}

// A main mode ends under a request: the request goes on under the next one.
func TestRequestOutlivesMainMode(t *testing.T) {
	n, a, b := newPair(t)
	a.request(b)
	n.run(time.Second)
	blocked := true
	n.fate = func(_ int, d ike.Datagram) []time.Duration {
		if blocked && exchangeOf(d) == payload.QuickMode {
			return nil
		}
		return []time.Duration{n.latency}
	}
	a.request(b)
	n.run(2 * time.Second)
	b.mux.DeletePeer(n.now, a.addr)
	b.drain()
	blocked = false
	n.run(4 * time.Second)
	n.wantPairs("a tries again by itself", 2)
	require.Empty(t, a.failed)
	require.True(t, slices.Contains(a.negotiations(), "quick mode failed"), "what ended is in the trace")
}

// The Delete of a main mode is lost: the peer's next quick mode under it gets it again.
func TestDeleteOfMainModeIsLost(t *testing.T) {
	n, a, b := newPair(t)
	b.mainMode.QuickModes = 1
	lost := 0
	n.fate = func(_ int, d ike.Datagram) []time.Duration {
		if exchangeOf(d) == payload.Informational && lost == 0 {
			lost++
			return nil
		}
		return []time.Duration{n.latency}
	}
	a.request(b)
	n.run(time.Second)
	require.Empty(t, b.mux.MainModes(), "b allows one quick mode")
	require.Len(t, a.mux.MainModes(), 1, "a has not heard of it")
	a.request(b)
	n.run(2 * time.Second)
	n.wantPairs("the request goes on under a new main mode", 2)
	require.True(t, b.noted("answers a quick mode under a main mode that has been deleted"))
	require.Empty(t, a.failed)
	n.run(5 * time.Minute)
	_, waits := b.mux.NextDeadline()
	require.False(t, waits, "a main mode does not linger for ever")
}

// A peer that has lost one main mode has lost the others too: they are not tried one by one.
func TestSilentPeerLosesAllMainModes(t *testing.T) {
	n, a, b := newPair(t)
	a.request(b)
	b.request(a)
	n.run(time.Second)
	require.Len(t, a.mux.MainModes(), 2)
	b.reboot()
	a.request(b)
	n.run(2 * time.Minute)
	a.wantFailure("nobody answers", "no response to quick mode message 1", ike.CodeTimedOut)
	require.Empty(t, a.mux.MainModes())
	require.Equal(t, 2, count[ike.EventMainModeGone](a))
}

// A responder that never sees message 3 deletes its half of the pair at the peer, which may have forgotten the main
// mode of that quick mode meanwhile: under another one with it, then.
func TestUnfinishedPairIsDeletedUnderAnotherMainMode(t *testing.T) {
	n, a, b := newPair(t)
	n.fate = func(_ int, d ike.Datagram) []time.Duration {
		if d.Local.Addr() == b.addr && isShortQuickMode(d) && n.now.Before(n.start.Add(time.Second)) {
			return nil
		}
		return []time.Duration{n.latency}
	}
	b.request(a)
	n.run(900 * time.Millisecond)
	require.Len(t, b.in, 1)
	require.Empty(t, a.in, "message 3 is lost")
	b.mux.DeletePeer(n.now, a.addr)
	b.drain()
	n.run(1500 * time.Millisecond)
	b.request(a)
	n.run(2 * time.Second)
	require.Len(t, b.in, 2)
	n.run(schedule + 2*time.Second)
	n.wantPairs("the first pair is gone on both sides", 1)
}
