package mux_test

import (
	"math/big"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ipseclab/ipseclab/ike"
	"github.com/ipseclab/ipseclab/ike/payload"
	"github.com/ipseclab/ipseclab/internal/ipsec"
	"github.com/ipseclab/ipseclab/internal/suite"
	"github.com/ipseclab/ipseclab/internal/trace"
)

var (
	alice   = ike.User{Name: "alice", Password: "correct horse battery staple"}
	mallory = ike.User{Name: "alice", Password: "wrong"}
)

// newGateway is a client a and a gateway b that asks for users.
func newGateway(t testing.TB) (n *network, a, b *host) {
	n, a, b = newPair(t)
	for _, h := range n.hosts {
		h.mainMode.Proposals[0].Group = 1
	}
	a.xauth, b.xauth = &ike.XAuth{User: alice}, &ike.XAuth{Asks: true, Users: []ike.User{{Name: "bob", Password: "x"}, alice}}
	return n, a, b
}

// pool is what gateways give.
func pool(last string) *ike.Configuration {
	return &ike.Configuration{
		First: netip.MustParseAddr("10.9.0.10"), Last: netip.MustParseAddr(last), Netmask: 24,
		DNS: []netip.Addr{netip.MustParseAddr("10.1.0.53")}, NBNS: []netip.Addr{netip.MustParseAddr("10.1.0.42"), netip.MustParseAddr("10.1.0.43")},
		Networks: []netip.Prefix{netip.MustParsePrefix("10.1.0.0/16"), netip.MustParsePrefix("10.2.0.0/16")}, Banner: "welcome", Expiry: 30 * time.Minute,
	}
}

// exchanges are the exchange types of what was sent, in order.
func exchanges(n *network) (all []payload.Exchange) {
	for _, d := range n.sent {
		all = append(all, exchangeOf(d))
	}
	return all
}

func onlyMainMode(t testing.TB, h *host) (m muxInfo) {
	all := h.mux.MainModes()
	require.Len(t, all, 1, h.name)
	return muxInfo{all[0].User, all[0].PeerID, all[0].Assigned, all[0].Gave}
}

type muxInfo struct {
	user, peer string
	assigned   *ike.Assignment
	gave       bool
}

// The gateway asks whoever started the main mode, and quick modes wait for the user.
func TestXAUTH(t *testing.T) {
	for _, starter := range []string{"client", "gateway"} {
		for _, aggressive := range []bool{false, true} {
			t.Run(starter, func(t *testing.T) {
				n, a, b := newGateway(t)
				a.mainMode.Aggressive, b.mainMode.Aggressive = aggressive, aggressive
				from, to := a, b
				if starter == "gateway" {
					from, to = b, a
				}
				from.request(to)
				n.run(time.Second)
				n.wantPairs("a pair", 1)
				for _, h := range n.hosts {
					require.Equal(t, "alice", onlyMainMode(t, h).user)
				}
				require.Contains(t, onlyMainMode(t, b).peer, "user alice")
				first := 6
				if aggressive {
					first = 3
				}
				require.Equal(t, []payload.Exchange{payload.Transaction, payload.Transaction, payload.Transaction, payload.Transaction, payload.QuickMode}, exchanges(n)[first:first+5])
				for i := range 4 {
					sender := n.sent[first+i].Local.Addr()
					require.Equal(t, sender == b.addr, i%2 == 0, "message %d of the transactions", i)
				}
				method := map[string]string{"client": "XAUTHInitPreShared", "gateway": "XAUTHRespPreShared"}[starter]
				require.True(t, noted(traced[trace.IKEMessage](to)[0].Payloads, method), "the method: %v", traced[trace.IKEMessage](to)[0].Payloads)
			})
		}
	}
}

// noted reports whether a field has the value, at any depth.
func noted(fs []trace.Field, value string) bool {
	for _, f := range fs {
		if f.Value == value || noted(f.Fields, value) {
			return true
		}
	}
	return false
}

// A wrong password ends the main mode at both, and the client learns why.
func TestXAUTHRefused(t *testing.T) {
	for _, row := range []struct {
		name            string
		change          func(a, b *host)
		client, gateway string
		requests        int // of the gateway
	}{
		{"wrong password", func(a, b *host) { a.xauth = &ike.XAuth{User: mallory} }, "has no other password", "no answer to the question", 2},
		{"one attempt", func(a, b *host) {
			a.xauth = &ike.XAuth{User: mallory}
			b.xauth.Attempts = 1
		}, "the peer refused user alice", "user alice is not known with that password", 1},
		{"no such user", func(a, b *host) {
			a.xauth = &ike.XAuth{User: ike.User{Name: "eve\n", Password: "x"}}
			b.xauth.Attempts = 1
		}, "the peer refused user eve", `user "eve\n" is not known`, 1},
	} {
		t.Run(row.name, func(t *testing.T) {
			n, a, b := newGateway(t)
			row.change(a, b)
			a.request(b)
			n.run(10 * time.Second)
			n.wantPairs("none", 0)
			require.NotContains(t, exchanges(n), payload.QuickMode)
			require.Empty(t, a.mux.MainModes())
			require.Empty(t, b.mux.MainModes())
			require.Len(t, a.failed, 1)
			require.ErrorContains(t, a.failed[0].Err, row.client)
			require.Equal(t, ike.CodeAuthFailed, ike.CodeOf(a.failed[0].Err))
			require.Contains(t, failure(b), row.gateway)
			asked := 0
			for _, m := range traced[trace.IKEMessage](b) {
				if m.Sent && noted(m.Payloads, "ISAKMP_CFG_REQUEST") {
					asked++
				}
			}
			require.Equal(t, row.requests, asked)
			require.Equal(t, payload.Informational, exchanges(n)[len(n.sent)-1], "the last message is the Delete")
			require.Equal(t, uint64(1), uint64(a.mux.Statistics().AuthenticationFailures))
		})
	}
}

// failure is why a host's main mode failed.
func failure(h *host) string {
	for _, m := range traced[trace.Negotiation](h) {
		if m.Exchange == "main mode" && m.State == "failed" {
			return m.Reason
		}
	}
	return ""
}

// Both sides have to want it, and of the same kind.
func TestXAUTHOfOneSide(t *testing.T) {
	for _, row := range []struct {
		name   string
		change func(a, b *host)
	}{
		{"gateway", func(a, b *host) { a.xauth = nil }},
		{"client", func(a, b *host) { b.xauth = nil }},
		{"two clients", func(a, b *host) { b.xauth = &ike.XAuth{User: alice} }},
	} {
		n, a, b := newGateway(t)
		row.change(a, b)
		a.request(b)
		n.run(2 * time.Minute)
		n.wantPairs(row.name, 0)
		require.Contains(t, failure(b), "no main mode proposal in common", row.name)
	}
}

// The number 65001 is that of XAUTH from who says so alone.
func TestXAUTHNeedsItsVendorID(t *testing.T) {
	n, a, b := newGateway(t)
	n.alter = func(k int, bs []byte) []byte {
		return []byte(strings.Replace(string(bs), string(ike.XAUTHVendorID), "another!", 1))
	}
	a.request(b)
	n.run(2 * time.Minute)
	n.wantPairs("none", 0)
	require.Contains(t, failure(b), "65001 without a vendor ID that says what it means")
}

// Mode config gives the client an address before the first quick mode, whoever begins.
func TestModeConfig(t *testing.T) {
	for _, push := range []bool{false, true} {
		for _, xauth := range []bool{false, true} {
			n, a, b := newGateway(t)
			if !xauth {
				a.xauth, b.xauth = nil, nil
			}
			a.mainMode.ModeConfig = &ike.ModeConfig{Push: push}
			b.mainMode.ModeConfig = &ike.ModeConfig{Push: push, Gives: pool("10.9.0.11"), Version: "gateway 1"}
			a.request(b)
			n.run(time.Second)
			n.wantPairs("a pair", 1)
			got, gave := onlyMainMode(t, a), onlyMainMode(t, b)
			require.Equal(t, "10.9.0.10/24, DNS 10.1.0.53, NBNS 10.1.0.42 10.1.0.43, networks 10.1.0.0/16 10.2.0.0/16, for 30m0s", got.assigned.String())
			require.Equal(t, "welcome", got.assigned.Banner)
			require.Equal(t, "gateway 1", got.assigned.Version)
			require.False(t, got.gave)
			require.Equal(t, got.assigned, gave.assigned)
			require.True(t, gave.gave)
			require.Equal(t, 1, count[ike.EventAssigned](a))
			require.Equal(t, 1, count[ike.EventAssigned](b))

			// The address is given back with the main mode.
			a.mux.Shutdown(n.now)
			a.drain()
			n.run(2 * time.Second)
			a.request(b)
			n.run(3 * time.Second)
			require.Equal(t, "10.9.0.10", a.mux.MainModes()[0].Assigned.Address.String())
		}
	}
}

// Two clients get two addresses, a third one none. A successor of a main mode keeps its address.
func TestModeConfigPool(t *testing.T) {
	n, a, b := newGateway(t)
	c, d := n.add("c", "10.0.0.3", 3), n.add("d", "10.0.0.4", 4)
	for _, h := range []*host{a, c, d} {
		h.mainMode = a.mainMode
		h.mainMode.ModeConfig = &ike.ModeConfig{}
		h.xauth = a.xauth
	}
	a.mainMode.Lifetime, b.mainMode.Lifetime = 20*time.Minute, 20*time.Minute
	b.mainMode.ModeConfig = &ike.ModeConfig{Gives: pool("10.9.0.11")}
	a.request(b)
	n.run(time.Second)
	c.request(b)
	n.run(2 * time.Second)
	require.Equal(t, "10.9.0.10", onlyMainMode(t, a).assigned.Address.String())
	require.Equal(t, "10.9.0.11", onlyMainMode(t, c).assigned.Address.String())
	d.request(b)
	n.run(5 * time.Second)
	require.ErrorContains(t, d.failed[0].Err, "the peer gives no inner address")
	require.Equal(t, ike.CodeInnerAddress, ike.CodeOf(d.failed[0].Err))

	n.run(19 * time.Minute)
	all := a.mux.MainModes()
	require.Len(t, all, 2, "one, and its successor")
	require.Equal(t, "10.9.0.10", all[1].Assigned.Address.String())
	n.run(25 * time.Minute)
	a.mux.Shutdown(n.now)
	a.drain()
	n.run(26 * time.Minute)
	d.request(b)
	n.run(27 * time.Minute)
	require.Equal(t, "10.9.0.10", onlyMainMode(t, d).assigned.Address.String(), "it is free")
}

// One side alone fails for want of the other; the client says why.
func TestModeConfigOfOneSide(t *testing.T) {
	for _, row := range []struct {
		name           string
		client, giving *ike.ModeConfig
		reason         string
	}{
		{"nobody gives", &ike.ModeConfig{}, nil, "the peer gives no inner address"},
		{"the gateway waits for a question", &ike.ModeConfig{Push: true}, &ike.ModeConfig{Gives: pool("10.9.0.11")}, "the peer has not given an inner address"},
		{"the gateway gives, and nobody takes", nil, &ike.ModeConfig{Push: true, Gives: pool("10.9.0.11")}, ""},
	} {
		n, a, b := newGateway(t)
		a.mainMode.ModeConfig, b.mainMode.ModeConfig = row.client, row.giving
		a.request(b)
		n.run(3 * time.Minute)
		if row.reason != "" {
			require.Len(t, a.failed, 1, row.name)
			require.ErrorContains(t, a.failed[0].Err, row.reason, row.name)
			continue
		}
		require.Contains(t, failure(b), "the peer does not take the inner address", row.name)
	}
}

// privateGroup is the prime of group 2 under another number, with the generator 3.
var privateGroup = sync.OnceValue(func() *suite.Group {
	g, err := suite.NewGroup(32800, suite.GroupNumbered(2).Prime(), big.NewInt(3))
	if err != nil {
		panic(err)
	}
	return g
})

// New group mode: its group serves perfect forward secrecy, and a refusal leaves the others.
func TestNewGroupMode(t *testing.T) {
	for _, row := range []struct {
		name   string
		accept ike.NewGroups
		group  string
	}{
		{"accepted", ike.NewGroups{Accept: true}, "group 32800"},
		{"off", ike.NewGroups{}, "group 1"},
		{"too small", ike.NewGroups{Accept: true, MinBits: 1536}, "group 1"},
	} {
		n, a, b := newPair(t)
		for _, h := range n.hosts {
			h.mainMode.Proposals[0].Group = 1
			h.quickMode.PFS = true
		}
		a.mainMode.NewGroups.Propose, b.mainMode.NewGroups = privateGroup(), row.accept
		a.request(b)
		n.run(time.Second)
		n.wantPairs(row.name, 1)
		b.request(a) // the other side, under the same main mode
		n.run(2 * time.Second)
		n.wantPairs(row.name, 2)
		require.Equal(t, []payload.Exchange{payload.NewGroup, payload.NewGroup}, exchanges(n)[6:8], row.name)
		for _, h := range n.hosts {
			chosen := 0
			for _, q := range traced[trace.Negotiation](h) {
				if q.Exchange == "quick mode" && q.State == "established" {
					chosen++
					require.True(t, strings.HasSuffix(q.Chosen, "pfs "+row.group), "%s: %s: %s", row.name, h.name, q.Chosen)
				}
			}
			require.Equal(t, 2, chosen)
		}
	}
}

// INITIAL-CONTACT of a peer whose user is still to be asked drops nothing: else whoever has
// the key of the group could end the SAs of others.
func TestInitialContactWaitsForTheUser(t *testing.T) {
	for _, user := range []ike.User{alice, mallory} {
		n, a, b := newGateway(t)
		b.xauth.Attempts = 1
		a.mainMode.Identity = ike.Identity{Type: payload.IDKeyID, Data: []byte("group")}
		a.request(b)
		n.run(time.Second)
		n.wantPairs("a pair", 1)

		a.xauth = &ike.XAuth{User: user}
		a.reboot() // it has forgotten everything, and says so
		a.request(b)
		n.run(5 * time.Second)
		require.Len(t, b.out, 1, "%v", user)
		_, still := b.out[said{ipsec.ESP, a.firstSPI + 1}]
		require.Equal(t, user == mallory, still, "the pair of before")
	}
}
