package scenarios_test

import (
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ipseclab/ipseclab/internal/trace"
	"github.com/ipseclab/ipseclab/scenarios"
	"github.com/ipseclab/ipseclab/scenarios/spec"
)

// Of two equally specific filters the setting says which goes first, for the
// driver and for the wire oracle alike.
func TestTies(t *testing.T) {
	for _, c := range []struct {
		ties   []string
		result string
	}{
		{nil, spec.ResultTimeout},
		{[]string{spec.ActionPermit, spec.ActionNegotiate, spec.ActionBlock}, spec.ResultOK},
		{[]string{spec.ActionNegotiate, spec.ActionPermit, spec.ActionBlock}, spec.ResultTimeout},
	} {
		s := inCode("ESP[AES128,SHA1]")
		list := []spec.Filter{{Source: "me", Destination: "client"}}
		s.FilterLists["again"], s.FilterLists["and-again"] = list, list
		s.FilterActions["permit"], s.FilterActions["block"] = spec.FilterAction{Action: spec.ActionPermit}, spec.FilterAction{Action: spec.ActionBlock}
		p := s.Policies["server"]
		p.Rules = append(p.Rules, spec.Rule{Name: "permit", FilterList: "again", FilterAction: "permit"}, spec.Rule{Name: "block", FilterList: "and-again", FilterAction: "block"})
		s.Policies["server"] = p
		delete(s.Assignments, "client")
		if c.ties != nil {
			node := s.Nodes["server"]
			node.IPsec = &spec.IPsec{Ties: c.ties}
			s.Nodes["server"] = node
		}
		s.Steps[0].Connect.Timeout = spec.Duration(5 * time.Second)
		s.Steps[0].Expect = &spec.Expect{Result: c.result}
		scenarios.Check(t, s, scenarios.Options{})
	}
}

// What both sides have is taken in the initiator's order, or in the responder's;
// a main mode lives as long as was offered, or no longer than the responder wants.
func TestResponderSettings(t *testing.T) {
	const strong, weak = "AES256-SHA256-14", "3DES-SHA1-2"
	for _, c := range []struct {
		settings spec.IPsec
		mainMode string
		told     int // RESPONDER-LIFETIME
	}{
		{spec.IPsec{}, "3des-cbc/sha1/2", 0},
		{spec.IPsec{ResponderOrder: true}, "aes256-cbc/sha256/14", 0},
		{spec.IPsec{ShortenMainMode: true}, "3des-cbc/sha1/2", 1},
	} {
		s := inCode("ESP[AES128,SHA1]")
		own, peers := s.Policies["server"], s.Policies["client"]
		own.MainMode = spec.MainMode{Methods: []string{strong, weak}, Lifetime: spec.Duration(time.Hour)}
		peers.MainMode = spec.MainMode{Methods: []string{weak, strong}}
		s.Policies["server"], s.Policies["client"] = own, peers
		node := s.Nodes["server"]
		node.IPsec = &c.settings
		s.Nodes["server"] = node
		s.Steps[0].Expect = &spec.Expect{Result: spec.ResultOK, SA: &spec.SA{MainMode: c.mainMode}}
		told := 0
		_, _, events := checked(t, s)
		for _, e := range events {
			m, ok := e.Body.(trace.IKEMessage)
			if ok && m.Sent && m.Exchange == "main mode" && slices.ContainsFunc(m.Payloads, func(f trace.Field) bool { return f.Value == "RESPONDER-LIFETIME" }) {
				told++
			}
		}
		require.Equal(t, c.told, told)
	}
}

// A responder that sets the commit bit ends quick mode with CONNECTED (RFC 2408, Section 3.1).
func TestCommit(t *testing.T) {
	for _, commit := range []bool{false, true} {
		s := inCode("ESP[AES128,SHA1]")
		node := s.Nodes["server"]
		node.IPsec = &spec.IPsec{Commit: commit}
		s.Nodes["server"] = node
		s.Steps[0].Expect = &spec.Expect{Result: spec.ResultOK}
		connected := 0
		_, _, events := checked(t, s)
		for _, e := range events {
			m, ok := e.Body.(trace.IKEMessage)
			if ok && !m.Sent && e.Node == "client" && slices.ContainsFunc(m.Payloads, func(f trace.Field) bool { return f.Value == "CONNECTED" }) {
				connected++
			}
		}
		require.Equal(t, commit, connected == 1, "%d CONNECTED", connected)
	}
}

// A responder repeats its messages, as measured, or answers once, as documented.
func TestSilentResponder(t *testing.T) {
	sent := func(silent bool) (n int) {
		s := inCode("ESP[AES128,SHA1]")
		node := s.Nodes["server"]
		node.IPsec = &spec.IPsec{SilentResponder: silent}
		s.Nodes["server"] = node
		s.Network.Segments["lan"] = spec.Segment{Latency: spec.Duration(100 * time.Millisecond)}
		everything := 1.0
		s.Steps = []spec.Step{
			{Connect: &spec.Connect{From: "client", To: "server", Port: 443, Timeout: spec.Duration(20 * time.Second)}, Background: true},
			// After ARP, message 1 is under way; nothing else gets through.
			{At: spec.Duration(250 * time.Millisecond), SetLink: &spec.SetLink{Node: "server", Link: spec.Link{Loss: &everything}}},
		}
		_, _, events := checked(t, s)
		for _, e := range events {
			if m, ok := e.Body.(trace.IKEMessage); ok && m.Sent && e.Node == "server" {
				n++
			}
		}
		return n
	}
	require.Equal(t, 1, sent(true), "message 2, once")
	require.Equal(t, 5, sent(false), "message 2 and its copies after 1, 3, 7 and 15 seconds")
}
