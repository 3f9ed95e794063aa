// Package scenarios runs scenario files: it builds the network and the hosts
// that a file describes, performs its steps in virtual time, judges what an
// observer of the wire and of the applications saw, and writes the evidence.
//
// The command ipseclab and `go test` use the same code. A test suite runs a
// file, or a scenario that it builds in code, with Check:
//
//	func TestRollout(t *testing.T) {
//		s, err := scenarios.Load("testdata/rollout.yaml")
//		if err != nil {
//			t.Fatal(err)
//		}
//		scenarios.Check(t, s, scenarios.Options{})
//	}
//
// The wire oracle (oracle.go) watches every scenario, whatever its steps check.
package scenarios
