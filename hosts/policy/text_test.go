package policy

import (
	"net/netip"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ipseclab/ipseclab/internal/ipsec"
)

func written(t testing.TB) *Policy {
	method, err := ParseSecurityMethod("AH[SHA1]+ESP[3DES,None]:1000k/600s")
	require.NoError(t, err)
	list := FilterList{Name: "list"}
	for _, to := range []Address{
		Any(), Host(netip.MustParseAddr("10.0.0.2")), Host(netip.MustParseAddr("2001:db8::2")), Subnet(netip.MustParsePrefix("10.1.0.0/16")),
		DNSName("me"), Servers(WINSServers),
	} {
		list.Filters = append(list.Filters, Filter{Source: Me(), Destination: to, Protocol: 6, DestinationPort: 80, Mirrored: true})
	}
	return &Policy{
		Name: "clients", Polling: time.Hour, MainMode: MainMode{Proposals: DefaultMainModeProposals(), QuickModes: 1},
		Rules:           []Rule{{Name: "all", Filters: list, Action: FilterAction{Name: "a", Kind: Negotiate, Soft: true, Methods: []ipsec.Proposal{method}}, Auth: []AuthMethod{{PreSharedKey: "read me"}}}},
		DefaultResponse: &DefaultResponse{Methods: parsed([]string{"ESP[3DES,SHA1]"})},
	}
}

func TestText(t *testing.T) {
	p := written(t)
	text, err := p.Text()
	require.NoError(t, err)
	require.Contains(t, string(text), "read me", "whoever reads the text has the key (C104)")
	again, err := ParseText(text)
	require.NoError(t, err)
	require.Equal(t, p, again)

	for n := range text {
		_, err := ParseText(text[:n])
		require.Error(t, err, "the first %d bytes", n)
	}
	for _, wrong := range []string{
		"null", "[]", `{"Name":"p","Colour":"red"}`, `{"Name":"p"}{}`, `{"Rules":[{"Filters":{"Filters":[{"Source":"nobody"}]}}]}`,
		`{"Rules":[{"Filters":{"Filters":[{"Source":"servers:print"}]}}]}`,
	} {
		_, err := ParseText([]byte(wrong))
		require.Error(t, err, wrong)
	}
	_, err = ParseText(make([]byte, MaxText+1))
	require.ErrorContains(t, err, "the most is")
}

// What comes from the network compiles or is refused, and does not panic.
func FuzzText(f *testing.F) {
	text, err := written(f).Text()
	require.NoError(f, err)
	f.Add(text)
	f.Add([]byte(`{"Name":"p","Rules":[{"Name":"r","Action":{"Kind":3}}]}`))
	f.Add([]byte(`{"Rules":[{"Filters":{"Filters":[{}]}}]}`)) // a filter without addresses
	local := []netip.Addr{netip.MustParseAddr("10.0.0.1"), netip.MustParseAddr("2001:db8::1")}
	f.Fuzz(func(t *testing.T, text []byte) {
		p, err := ParseText(text)
		if err != nil {
			return
		}
		again, err := p.Text()
		require.NoError(t, err)
		q, err := ParseText(again)
		require.NoError(t, err)
		third, err := q.Text()
		require.NoError(t, err)
		require.Equal(t, string(again), string(third))
		if c, err := Compile(p, local, Options{}); err == nil {
			c.Specific()
			c.MainMode(local[0], netip.MustParseAddr("10.0.0.2"))
		}
	})
}
