package trace

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestPaths(t *testing.T) {
	fields := Fields(Negotiation{
		State: "established", Offered: []Alternative{{Verdict: Refused}, {Number: 2, Verdict: Chosen}}, Accepted: []string{"a"},
		Authentication: Authentication{Peer: Proof{Certificate: Certificate{Subject: "CN=b"}}}, CookieI: Hex{1},
	})
	for _, row := range []struct {
		path string
		has  bool
		want string // "": it is not there
	}{
		{"state", true, "established"},
		{"cookie_i", true, "01"},
		{"offered.1.verdict", true, "refused"},
		{"offered.2.verdict", true, "chosen"},
		{"accepted.1", true, "a"},
		{"authentication.peer.certificate.subject", true, "CN=b"},
		{"offered.3.verdict", true, ""}, // there may be a third one
		{"authentication.own.identity", true, ""},
		{"offered.0.verdict", false, ""},
		{"offered.first.verdict", false, ""},
		{"offered.1.colour", false, ""},
		{"state.1", false, ""},
		{"cookie_i.1", false, ""},
		{"colour", false, ""},
		{"", false, ""},
		{"offered.", false, ""},
	} {
		require.Equal(t, row.has, HasField("ike.negotiation", row.path), row.path)
		got, ok := FieldAt(fields, row.path)
		require.Equal(t, row.want != "", ok, row.path)
		if ok {
			require.Equal(t, row.want, got, row.path)
		}
	}
	require.False(t, HasField("ike.nothing", "state"))
}
