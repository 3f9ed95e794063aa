package scenarios_test

import (
	"os"
	"path/filepath"
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
		dir := t.TempDir()
		scenarios.Check(t, s, scenarios.Options{Dir: dir})
		f, err := os.Open(filepath.Join(dir, "trace.jsonl"))
		require.NoError(t, err)
		defer f.Close()
		events, err := trace.Read(f)
		require.NoError(t, err)
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
