package scenarios_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ipseclab/ipseclab/internal/trace"
	"github.com/ipseclab/ipseclab/scenarios/spec"
)

// vendorsOf are the vendor IDs of the first message that a host sends under its settings.
func vendorsOf(t *testing.T, os string, settings *spec.IPsec) (names []string) {
	t.Helper()
	s := inCode("ESP[3DES,SHA1]")
	for _, list := range s.FilterLists { // not every system has me
		for i := range list {
			if list[i].Source = "client"; list[i].Destination == "client" {
				list[i].Source = "server"
			}
		}
	}
	node := s.Nodes["server"]
	node.OS, node.IPsec, node.HostFirewall = os, settings, &spec.HostFirewall{Kind: "none"} // that of Windows XP SP2 is on as the system comes
	s.Nodes["server"] = node
	s.Steps[0].Expect = &spec.Expect{Result: spec.ResultOK}
	_, _, events := checked(t, s)
	for _, e := range events {
		if m, ok := e.Body.(trace.IKEMessage); ok && m.Sent && e.Node == "server" && names == nil {
			for _, f := range m.Payloads {
				if f.Name == "Vendor ID" {
					names = append(names, f.Value)
				}
			}
		}
	}
	return names
}

// What a host announces follows from its settings and its operating system.
func TestAnnouncedExtensions(t *testing.T) {
	const microsoft, newline = "MS NT5 ISAKMPOAKLEY ", `draft-ietf-ipsec-nat-t-ike-02\n`
	for _, c := range []struct {
		os       string
		settings *spec.IPsec
		want     []string
	}{
		{"", nil, []string{microsoft + "4", "FRAGMENTATION", newline}},
		{"", &spec.IPsec{Fragmentation: &spec.Fragmentation{Form: "none"}}, []string{microsoft + "4", newline}},
		{"", &spec.IPsec{Fragmentation: &spec.Fragmentation{Form: "cisco"}}, []string{microsoft + "4", "FRAGMENTATION 2147483648", newline}},
		{"", &spec.IPsec{DPD: &spec.DPD{}}, []string{microsoft + "4", "FRAGMENTATION", newline, "Dead Peer Detection"}},
		{"windows-2003", nil, []string{microsoft + "4", "FRAGMENTATION", newline}},
		{"windows-xp-sp1", nil, []string{microsoft + "3"}},
		{"windows-xp-sp2", nil, []string{microsoft + "4", "FRAGMENTATION", newline}},
		{"windows-2000-sp4", nil, []string{microsoft + "2"}},
		{"windows-2000-sp4-rollup", nil, []string{microsoft + "2", "FRAGMENTATION", newline}},
		{"solaris-9", nil, nil},
		{"solaris-9", &spec.IPsec{Fragmentation: &spec.Fragmentation{Size: 600}}, nil},
		{"cisco-vpn-client", nil, []string{"Cisco VPN client", "Dead Peer Detection"}},
		{"netscreen", nil, []string{"NetScreen"}},
		{"nortel-contivity", nil, []string{"Nortel BNES 9"}},
	} {
		require.Equal(t, c.want, vendorsOf(t, c.os, c.settings), "%s %+v", c.os, c.settings)
	}
}

// A refusal of message 5 goes in the clear, where it is a hint, or encrypted, where
// with another preshared key it is noise (MS-IKEE, 3.1.5).
func TestProtectNotify(t *testing.T) {
	for _, protected := range []bool{false, true} {
		s := inCode("ESP[AES128,SHA1]")
		p := s.Policies["server"]
		p.Rules = slices.Clone(p.Rules)
		for i := range p.Rules {
			p.Rules[i].Auth = []spec.Authenticate{{PSK: "quite another key than theirs"}}
		}
		s.Policies["server"] = p
		node := s.Nodes["server"]
		node.IPsec = &spec.IPsec{ProtectNotify: protected}
		s.Nodes["server"] = node
		s.Steps[0].Connect.Timeout = spec.Duration(2 * time.Minute)
		s.Steps[0].Expect = &spec.Expect{Result: spec.ResultTimeout}
		_, _, events := checked(t, s)
		var notes []string
		for _, e := range events {
			if m, ok := e.Body.(trace.IKEMessage); ok && !m.Sent && m.Exchange == "informational" {
				require.Equal(t, protected, m.Encrypted)
				notes = append(notes, m.Note)
			}
		}
		require.NotEmpty(t, notes)
		require.Equal(t, !protected, strings.Contains(notes[0], "kept as a hint"), "%q", notes)
		require.Equal(t, protected, strings.Contains(notes[0], "ignored: informational"), "%q", notes)
	}
}
