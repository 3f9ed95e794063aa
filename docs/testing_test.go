package docs_test

import (
	"testing"

	"github.com/ipseclab/ipseclab/scenarios"
	"github.com/ipseclab/ipseclab/scenarios/spec"
)

// The tests of this file are the examples of testing.md.

func TestFile(t *testing.T) {
	s, err := scenarios.Load("../scenarios/catalogue/ike_wrong_key.yaml")
	if err != nil {
		t.Fatal(err) // every mistake of the file, with line, column and excerpt
	}
	scenarios.Check(t, s, scenarios.Options{Dir: t.ArtifactDir()})
}

func TestCells(t *testing.T) {
	all, err := scenarios.LoadAll("../scenarios/spec/testdata/valid/cells.yaml")
	if err != nil {
		t.Fatal(err)
	}
	scenarios.Cells(t, all, scenarios.Options{Dir: t.ArtifactDir()})
}

func TestSecurityMethods(t *testing.T) {
	for _, tc := range []struct{ method, cipher string }{
		{"ESP[3DES,SHA1]", "3des-cbc"},
		{"ESP[AES128,SHA256]", "aes128-cbc"},
		{"ESP[AES128-GCM]", "aes128-gcm16"},
	} {
		t.Run(tc.method, func(t *testing.T) {
			r := scenarios.Check(t, pair(tc.method, tc.cipher), scenarios.Options{})
			t.Logf("%d frames in %v of virtual time", r.Frames, r.Virtual)
		})
	}
}

// pair is two hosts that demand a security method of each other.
func pair(method, cipher string) *spec.Scenario {
	on := func(address string) []spec.Interface { return []spec.Interface{{Segment: "lan", Address: address}} }
	return &spec.Scenario{
		Name:    "pair",
		Title:   "two hosts, " + method,
		Network: spec.Network{Segments: map[string]spec.Segment{"lan": {}}},
		Nodes: map[string]spec.Node{
			"client": {Interfaces: on("10.0.0.1/24")},
			"server": {Interfaces: on("10.0.0.2/24"), Serves: []spec.Service{{TCP: 80}}},
		},
		FilterLists: map[string][]spec.Filter{"all": {{Source: "me", Destination: "any"}}},
		FilterActions: map[string]spec.FilterAction{
			"require": {Action: spec.ActionNegotiate, Methods: []string{method}},
		},
		Policies: map[string]spec.Policy{"secure": {Rules: []spec.Rule{
			{FilterList: "all", FilterAction: "require", Auth: []spec.Authenticate{{PSK: "a word between friends"}}},
		}}},
		Assignments: map[string]string{"client": "secure", "server": "secure"},
		Steps: []spec.Step{{
			Connect: &spec.Connect{From: "client", To: "server", Port: 80},
			Expect: &spec.Expect{
				Result: spec.ResultOK,
				Wire:   &spec.Wire{Protection: spec.WireESP},
				SA:     &spec.SA{Cipher: cipher},
			},
		}},
	}
}

func TestReview(t *testing.T) {
	all, err := scenarios.LoadAll("../scenarios/testdata/lint/good/domain_isolation.yaml")
	if err != nil {
		t.Fatal(err)
	}
	found, err := scenarios.LintAll(all, scenarios.LintOptions{Domain: true})
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range found {
		if f.Severity() >= scenarios.SeverityWarning {
			t.Errorf("%s\n%s", f, f.Rule.Fix)
		}
	}
}
