package policy

import (
	"encoding/json"
	"flag"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ipseclab/ipseclab/internal/ipsec"
)

var update = flag.Bool("update", false, "write the golden files anew")

// explained is a policy with all that an outcome may depend on.
func explained(t *testing.T) *Compiled {
	t.Helper()
	request := rule("request", Negotiate, "tcp me > 10.0.0.5")
	request.Action.InPass, request.Action.Soft, request.Action.PFS = true, true, true
	out, back := rule("out", Negotiate, "any me > 10.2.0.0/16 once"), rule("back", Negotiate, "any 10.2.0.0/16 > me once")
	out.Tunnel, back.Tunnel = addr("192.0.2.2"), addr("10.0.0.1")
	kerberos := rule("kerberos", Negotiate, "any me > 10.0.0.6")
	kerberos.Auth = nil
	p := policyOf(
		rule("sql", Negotiate, "tcp me > 10.0.0.2:1433"), rule("block", Block, "any me > 10.0.0.3"), rule("permit", Permit, "any me > 10.0.0.4"),
		request, out, back, kerberos, rule("groups", Negotiate, "udp any > 224.0.0.0/4", "udp any > 10.0.0.255"),
		rule("icmp", Negotiate, "icmp me > 10.0.0.2"),
	)
	p.Rules[len(p.Rules)-1].Auth = []AuthMethod{{PreSharedKey: "another secret"}}
	p.DefaultResponse = &DefaultResponse{Auth: []AuthMethod{{PreSharedKey: "yet another secret"}}}
	e, err := NoDefaultExempt(0)
	require.NoError(t, err)
	e.Groups = false
	c, err := Compile(p, []netip.Addr{addr("10.0.0.1")}, Options{
		KerberosKey: "the secret of the domain", Exempt: e, Broadcasts: []netip.Addr{addr("10.0.0.255")},
	})
	require.NoError(t, err)
	return c
}

// What happens now, in words, for each kind of outcome; golden file explain.txt.
func TestExplainNow(t *testing.T) {
	c := explained(t)
	var b strings.Builder
	for _, q := range []struct {
		title string
		d     ipsec.Direction
		f     string
		now   Circumstances
	}{
		{"a permit", out, "tcp 10.0.0.1:1025 > 10.0.0.4:80", Circumstances{}},
		{"a block", in, "tcp 10.0.0.3:1025 > 10.0.0.1:80", Circumstances{}},
		{"an exemption", out, "tcp 10.0.0.1:1025 > 10.0.0.3:88", Circumstances{}},
		{"a negotiation", out, "tcp 10.0.0.1:1025 > 10.0.0.2:1433", Circumstances{}},
		{"one that is under way", out, "tcp 10.0.0.1:1025 > 10.0.0.2:1433", Circumstances{Acquiring: true}},
		{"an SA", out, "tcp 10.0.0.1:1025 > 10.0.0.2:1433", Circumstances{SA: "SA 0x00001000 (ESP)"}},
		{"the policy agent stopped", out, "tcp 10.0.0.1:1025 > 10.0.0.2:1433", Circumstances{AgentStopped: true}},
		{"protection demanded", in, "tcp 10.0.0.2:1433 > 10.0.0.1:1025", Circumstances{}},
		{"and an SA for it", in, "tcp 10.0.0.2:1433 > 10.0.0.1:1025", Circumstances{SA: "SA 0x00002000 (ESP)"}},
		{"demanded in vain", in, "tcp 10.0.0.2:1433 > 10.0.0.1:1025", Circumstances{AgentStopped: true}},
		{"the key of another rule", out, "icmp 10.0.0.1 > 10.0.0.2", Circumstances{}},
		{"a fall back", out, "tcp 10.0.0.1:1025 > 10.0.0.5:80", Circumstances{}},
		{"a fall back on all occasions", out, "tcp 10.0.0.1:1025 > 10.0.0.5:80", Circumstances{FallBackAfter: 500 * time.Millisecond, OnFailure: true, OnUnreachable: true}},
		{"a soft SA", out, "tcp 10.0.0.1:1025 > 10.0.0.5:80", Circumstances{Soft: "a soft SA with 10.0.0.5"}},
		{"inbound passthrough", in, "tcp 10.0.0.5:80 > 10.0.0.1:1025", Circumstances{}},
		{"inbound passthrough without an agent", in, "tcp 10.0.0.5:80 > 10.0.0.1:1025", Circumstances{AgentStopped: true}},
		{"inbound under a soft SA", in, "tcp 10.0.0.5:80 > 10.0.0.1:1025", Circumstances{Soft: "a soft SA with 10.0.0.5"}},
		{"a tunnel", out, "udp 10.0.0.1:1025 > 10.2.3.4:53", Circumstances{}},
		{"out of a tunnel", in, "udp 10.2.3.4:53 > 10.0.0.1:1025", Circumstances{}},
		{"Kerberos", out, "udp 10.0.0.1:1025 > 10.0.0.6:53", Circumstances{}},
		{"multicast", out, "udp 10.0.0.1:1025 > 224.0.0.9:520", Circumstances{}},
		{"multicast that arrives", in, "udp 10.0.0.9:1025 > 224.0.0.9:520", Circumstances{}},
		{"broadcast", out, "udp 10.0.0.1:137 > 10.0.0.255:137", Circumstances{}},
		{"no match, and the default response rule", in, "tcp 10.0.0.9:1025 > 10.0.0.1:80", Circumstances{}},
		{"no match", out, "udp 10.0.0.1:68 > 255.255.255.255:67", Circumstances{}},
		{"before the policy agent: permit", in, "tcp 10.0.0.9:1025 > 10.0.0.1:80", Circumstances{Startup: "permit", AgentStopped: true}},
		{"before the policy agent: stateful, out", out, "tcp 10.0.0.1:1025 > 10.0.0.9:80", Circumstances{Startup: "stateful", AgentStopped: true}},
		{"before the policy agent: stateful, in", in, "tcp 10.0.0.9:1025 > 10.0.0.1:80", Circumstances{Startup: "stateful", AgentStopped: true}},
		{"before the policy agent: block", out, "tcp 10.0.0.1:1025 > 10.0.0.9:80", Circumstances{Startup: "block", AgentStopped: true}},
	} {
		x := c.Explain(q.d, flow(q.f), q.now)
		b.WriteString("# " + q.title + "\n" + x.String() + "\n")
		text, err := json.Marshal(x)
		require.NoError(t, err)
		require.NotContains(t, string(text)+x.String(), "secret", "%s: keys are never shown", q.title)
		require.Equal(t, x.Now.Result == ResultNegotiate, strings.Contains(x.Now.Why, "waits until") || strings.Contains(x.Now.Why, "waits for"), q.title)
	}
	golden := filepath.Join("testdata", "explain.txt")
	if *update {
		require.NoError(t, os.WriteFile(golden, []byte(b.String()), 0o644))
	}
	want, err := os.ReadFile(golden)
	require.NoError(t, err)
	require.Equal(t, string(want), b.String(), "go test ./hosts/policy -run ExplainNow -update")
}

// The names in JSON are an interface.
func TestExplainJSON(t *testing.T) {
	x := explained(t).Explain(out, flow("tcp 10.0.0.1:1025 > 10.0.0.2:1433"), Circumstances{})
	x.Matches[0].RuleSource, x.Matches[0].FilterSource = "a.yaml:7", "a.yaml:9"
	text, err := json.MarshalIndent(x, "", " ")
	require.NoError(t, err)
	require.JSONEq(t, `{
 "direction": "outbound", "packet": "tcp 10.0.0.1:1025 > 10.0.0.2:1433", "action": "negotiate", "rule": "p/sql",
 "why": "it is the only filter that matches",
 "matches": [{
  "rule": "p/sql", "action": "negotiate", "weight": 33033111, "filter": "tcp 10.0.0.1 > 10.0.0.2:1433", "generic": "tcp me > 10.0.0.2:1433, mirrored",
  "decides": true, "why": "it is the only filter that matches", "rule_source": "a.yaml:7", "filter_source": "a.yaml:9"
 }],
 "now": {
  "result": "negotiate", "why": "it waits until an SA with 10.0.0.2 is negotiated",
  "negotiation": {
   "local": "10.0.0.1", "peer": "10.0.0.2", "main_mode": ["3DES-SHA1-3", "3DES-SHA1-2"], "main_mode_lifetime": "8h", "authentication": "preshared key",
   "quick_mode_selector": "tcp 10.0.0.1 > 10.0.0.2:1433", "quick_mode": ["ESP[3DES,SHA1]:100000k/3600s"], "pfs": false, "mode": "transport"
  },
  "then": [
   "of what waits, only the last packet to each destination is kept (held-discarded counts the others)",
   "if nobody answers, IKE gives up after 6 repeats, 1m35s after its first message, and the packet is discarded (held-discarded)",
   "if the peer refuses, the packet is discarded at once (held-discarded), and the next one asks again"
  ]
 }
}`, string(text))
}
