package scans_test

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ipseclab/ipseclab/internal/profile"
	"github.com/ipseclab/ipseclab/internal/trace"
	"github.com/ipseclab/ipseclab/interop/scans"
	"github.com/ipseclab/ipseclab/scenarios"
	"github.com/ipseclab/ipseclab/scenarios/spec"
)

func fingerprints(t *testing.T) *spec.Scenario {
	t.Helper()
	s, err := scenarios.LoadFS(scans.Files, "fingerprints.yaml")
	require.NoError(t, err)
	return s
}

// The scan is of every profile with IPsec, each by the name of its node.
func TestAllProfilesAreScanned(t *testing.T) {
	s, n := fingerprints(t), 1
	for _, p := range profile.All() {
		if p.IPsec {
			require.Equal(t, p.Name, s.Nodes[p.Name].OS)
			n++
		}
	}
	require.Len(t, s.Nodes, n)
}

// What the scenario expects ike-scan to print, it prints of hosts with these profiles, by its files: found in virtual
// time, with a host in the place of the scanner that falls silent after its first message.
func TestFingerprints(t *testing.T) {
	k, s := ikeScan(t), fingerprints(t)
	var printed strings.Builder
	for _, name := range slices.Sorted(maps.Keys(s.Nodes)) {
		n := s.Nodes[name]
		if n.Real() {
			continue
		}
		a := answersOf(t, n.OS, s.Assignments[name])
		out := k.prints(n.Interfaces[0].Prefixes()[0].Addr().String(), a)
		t.Logf("%s: %v\n%s", name, a.gaps, out)
		printed.WriteString(out)
	}
	want := s.Steps[0].Expect.Output[1:] // the first is about the scan
	require.Len(t, want, 2*(len(s.Nodes)-1), "of each host its vendor IDs and the guess")
	for _, w := range want {
		require.Regexp(t, regexp.MustCompile(w), printed.String())
	}
}

// answers are what a responder sent who got no third message.
type answers struct {
	vendors []string        // in hexadecimal, in the order of the message
	gaps    []time.Duration // between its copies
}

// silent is a scenario in which the first message of a main mode arrives, and none after it.
const silent = `
title: a scanner and one host
network: {segments: {lan: {subnet: 10.9.0.0/24, latency: 1ms}}}
nodes:
  scanner: {interfaces: [{segment: lan, address: 10.9.0.1/24, link: {blackholes: [{protocol: udp, port: 500, direction: up, frames: ">= 2"}]}}]}
  target: {os: %s, interfaces: [{segment: lan, address: 10.9.0.11/24}]}
filter-lists:
  transport: [{source: any, destination: scanner}]
  tunnel: [{source: any, destination: scanner, mirrored: false}]
  outbound: [{source: scanner, destination: target, mirrored: false}]
filter-actions: {require: {action: negotiate, security-methods: ["ESP[3DES,SHA1]"]}}
policies:
  host:
    main-mode: {security-methods: [3DES-SHA1-2]}
    rules: [{name: scanner, filter-list: transport, filter-action: require, authentication: [{psk: "who is asking"}]}]
  gateway:
    main-mode: {security-methods: [3DES-SHA1-2]}
    rules: [{name: scanner, filter-list: tunnel, filter-action: require, tunnel: scanner, authentication: [{psk: "who is asking"}]}]
  scanner:
    main-mode: {security-methods: [3DES-SHA1-2]}
    rules: [{name: target, filter-list: outbound, filter-action: require, tunnel: target, authentication: [{psk: "nobody in particular"}]}]
assignments: {target: %s, scanner: scanner}
steps:
  - udp: {from: scanner, to: target, port: 7, timeout: 1s}
  - wait: 30m
`

// answersOf has a host with a profile and the policy of that name answer.
func answersOf(t *testing.T, os, policy string) (a answers) {
	t.Helper()
	s, err := spec.Parse("silent.yaml", fmt.Appendf(nil, silent, os, policy))
	require.NoError(t, err)
	s.Name = os
	dir := t.TempDir()
	_, err = scenarios.Run(t.Context(), s, scenarios.Options{Dir: dir})
	require.NoError(t, err)
	var last time.Duration
	for _, e := range events(t, dir) {
		m, ok := e.Body.(trace.IKEMessage)
		if !ok || e.Node != "target" || !m.Sent || m.Number != 2 {
			continue
		}
		if m.Retransmit > 0 {
			a.gaps = append(a.gaps, (e.At - last).Round(time.Millisecond))
			last = e.At
			continue
		}
		require.Zero(t, last, "%s answers twice", os)
		last = e.At
		for _, p := range m.Payloads {
			if p.Name == "Vendor ID" {
				a.vendors = append(a.vendors, p.Fields[0].Value)
			}
		}
	}
	require.NotZero(t, last, "%s does not answer", os)
	return a
}

func events(t *testing.T, dir string) []trace.Event {
	t.Helper()
	f, err := os.Open(filepath.Join(dir, "trace.jsonl"))
	require.NoError(t, err)
	defer f.Close()
	all, err := trace.Read(f)
	require.NoError(t, err)
	return all
}
