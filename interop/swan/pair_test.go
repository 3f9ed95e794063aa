package swan

import (
	"context"
	"fmt"
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ipseclab/ipseclab/hosts/policy"
	"github.com/ipseclab/ipseclab/ike"
	"github.com/ipseclab/ipseclab/ike/payload"
	"github.com/ipseclab/ipseclab/internal/ipsec"
	"github.com/ipseclab/ipseclab/interop/peerconf"
	"github.com/ipseclab/ipseclab/interop/peerconf/jail"
	"github.com/ipseclab/ipseclab/interop/peerconf/sample"
)

// in runs a command in the network of a daemon.
func (d daemon) in(t *testing.T, command string) string {
	out, err := d.jail.Run(command)
	require.NoError(t, err)
	return out
}

// swanctl asks a daemon by its own tool.
func (d daemon) swanctl(t *testing.T, arguments string) string {
	out, err := d.jail.Inside("swanctl " + arguments + " --uri unix:///mnt/vici")
	require.NoError(t, err)
	return out
}

// pair is two charons with a line between them.
func pair(t *testing.T, image string, k Kind) (own, peer daemon) {
	own, peer = charon(t, image, k, "10.1.0.1/24"), charon(t, image, k, "10.2.0.1/24")
	require.NoError(t, jail.Wire(own.jail, peer.jail, "10.0.0.1/24", "10.0.0.2/24"))
	return own, peer
}

func load(t *testing.T, d daemon, h peerconf.Host, k Kind) {
	config, err := peerconf.Build(h)
	require.NoError(t, err)
	conf, err := Build(config, k)
	require.NoError(t, err)
	require.NoError(t, d.Load(context.Background(), conf))
}

// Two charons with configurations of ours for the two ends of a tunnel agree, and carry packets; the client
// sees what they have.
func TestCharonPair(t *testing.T) {
	const limit = 15 * time.Second
	for image, k := range map[string]Kind{"strongswan-5.9": LibIPsec, "strongswan-6.0": LibIPsecRaw} {
		t.Run(image, func(t *testing.T) {
			own, peer := pair(t, image, k)
			ctx := context.Background()
			stores := sample.Stores([]string{"alice.lab.example", "bob.lab.example"}, []netip.Addr{sample.Own, sample.Peer})
			for _, c := range []struct {
				name   string
				method string
				change func(h *peerconf.Host, i int)
				check  func(t *testing.T, s SA)
			}{
				{"preshared key", "ESP[3DES,SHA1]", func(*peerconf.Host, int) {}, func(t *testing.T, s SA) {
					require.Equal(t, []any{"3des-cbc", "sha1", uint16(2)}, []any{s.Cipher, s.Hash, s.Group})
					require.Equal(t, []any{"3des-cbc", "hmac-sha1-96", uint16(0)}, []any{s.Children[0].Cipher, s.Children[0].Auth, s.Children[0].Group})
				}},
				{"pfs, old algorithms", "ESP[DES,MD5]", func(h *peerconf.Host, _ int) {
					h.Policy.MainMode.Proposals = []ike.MainModeProposal{{Cipher: "des-cbc", Hash: "md5", Group: 1}}
					for i := range h.Policy.Rules {
						h.Policy.Rules[i].Action.PFS = true
					}
				}, func(t *testing.T, s SA) {
					require.Equal(t, []any{"des-cbc", "md5", uint16(1)}, []any{s.Cipher, s.Hash, s.Group})
					require.Equal(t, []any{"des-cbc", "hmac-md5-96", uint16(1)}, []any{s.Children[0].Cipher, s.Children[0].Auth, s.Children[0].Group})
				}},
				{"aggressive mode with names", "ESP[AES128,SHA256]", func(h *peerconf.Host, i int) {
					h.Options.AggressiveMode = true
					h.Options.Identity = ike.Identity{Type: payload.IDUserFQDN, Data: []byte([]string{"alice@lab.example", "bob@lab.example"}[i])}
				}, func(t *testing.T, s SA) {
					require.Equal(t, "bob@lab.example", s.RemoteID)
					require.Equal(t, []any{"aes128-cbc", "hmac-sha256-128"}, []any{s.Children[0].Cipher, s.Children[0].Auth})
				}},
				{"certificates", "ESP[AES256-GCM]", func(h *peerconf.Host, i int) { sample.ByCertificate(h, stores[i]) }, func(t *testing.T, s SA) {
					require.Contains(t, s.RemoteID, "bob.lab.example")
					require.Equal(t, []any{"aes256-gcm16", ""}, []any{s.Children[0].Cipher, s.Children[0].Auth})
				}},
				{"several keys", "ESP[None,SHA512]", func(h *peerconf.Host, i int) {
					other := sample.Rule("elsewhere", h.Policy.Rules[0].Filters.Filters, "ESP[3DES,SHA1]")
					other.Filters.Filters = []policy.Filter{{Source: other.Filters.Filters[0].Source, Destination: policy.Host(sample.Other)}}
					back := other
					back.Name = "and back"
					back.Filters.Filters = []policy.Filter{{Source: policy.Host(sample.Other), Destination: other.Filters.Filters[0].Source}}
					other.Tunnel, back.Tunnel = sample.Other, h.Addresses[0]
					other.Auth = []policy.AuthMethod{{PreSharedKey: "another"}}
					back.Auth = other.Auth
					h.Policy.Rules = append(h.Policy.Rules, other, back)
				}, func(t *testing.T, s SA) {
					require.Equal(t, []any{"null", "hmac-sha512-256"}, []any{s.Children[0].Cipher, s.Children[0].Auth})
				}},
			} {
				t.Run(c.name, func(t *testing.T) {
					a, b := sample.Gateways(c.method)
					c.change(&a, 0)
					c.change(&b, 1)
					defer func() { _ = own.Terminate(ctx, Target{Connection: "to-10-0-0-2"}, limit) }()
					load(t, own, a, k)
					load(t, peer, b, k)
					require.NoError(t, own.Initiate(ctx, "to-10-0-0-2", "outwards", limit))
					ping := own.in(t, "ping -c 3 -i 0.1 -W 2 -I 10.1.0.1 10.2.0.1")
					require.Contains(t, ping, " 0% packet loss")
					mine, theirs := only(t, own), only(t, peer)
					require.Equal(t, []any{"ESTABLISHED", 1, true}, []any{mine.State, mine.Version, mine.Initiator})
					require.Equal(t, []any{"ESTABLISHED", 1, false}, []any{theirs.State, theirs.Version, theirs.Initiator})
					require.Equal(t, []uint64{mine.InitiatorCookie, mine.ResponderCookie}, []uint64{theirs.InitiatorCookie, theirs.ResponderCookie})
					require.Equal(t, "10.0.0.2", mine.Remote.Addr().String())
					require.Len(t, mine.Children, 1)
					mc, tc := mine.Children[0], theirs.Children[0]
					require.Equal(t, []any{"outwards", "INSTALLED", "TUNNEL", ipsec.ESP, k == LibIPsec}, []any{mc.Name, mc.State, mc.Mode, mc.Protocol, mc.Encap})
					require.Equal(t, []uint32{mc.In, mc.Out}, []uint32{tc.Out, tc.In})
					require.Equal(t, []uint64{3, 3}, []uint64{mc.PacketsIn, mc.PacketsOut})
					require.Equal(t, []string{"10.1.0.0/24"}, mc.LocalTS)
					c.check(t, mine)

					own.swanctl(t, "--rekey --child outwards")
					require.Eventually(t, func() bool {
						for _, ch := range only(t, own).Children {
							if ch.State == "INSTALLED" && ch.In != mc.In {
								return true
							}
						}
						return false
					}, limit, 50*time.Millisecond)
					require.NoError(t, own.Terminate(ctx, Target{Connection: "to-10-0-0-2"}, limit))
					require.Eventually(t, func() bool {
						sas, err := peer.ListSAs(ctx)
						return err == nil && len(sas) == 0
					}, limit, 50*time.Millisecond)
				})
			}

			// A main mode is not rekeyed: another one takes its place.
			a, b := sample.Gateways("ESP[3DES,SHA1]")
			load(t, own, a, k)
			load(t, peer, b, k)
			require.NoError(t, own.Initiate(ctx, "to-10-0-0-2", "outwards", limit))
			before := only(t, own)
			own.swanctl(t, fmt.Sprintf("--rekey --ike-id %d", before.ID))
			require.Eventually(t, func() bool {
				sas, err := own.ListSAs(ctx)
				return err == nil && slices.ContainsFunc(sas, func(s SA) bool {
					return s.State == "ESTABLISHED" && s.InitiatorCookie != before.InitiatorCookie && len(s.Children) > 0
				})
			}, limit, 50*time.Millisecond)
			require.NoError(t, own.Terminate(ctx, Target{Connection: "to-10-0-0-2"}, limit))

			// What charon says no to comes with its own words.
			b.Policy.Rules[0].Auth = []policy.AuthMethod{{PreSharedKey: "not that one"}}
			b.Policy.Rules[1].Auth = b.Policy.Rules[0].Auth
			load(t, own, a, k)
			load(t, peer, b, k)
			var refused *Refused
			require.ErrorAs(t, own.Initiate(ctx, "to-10-0-0-2", "outwards", 3*time.Second), &refused)
			require.NotEmpty(t, refused.Log)
			t.Log(refused)
			require.ErrorAs(t, own.Initiate(ctx, "nobody", "nothing", time.Second), &refused)
			require.Contains(t, refused.Error(), "not found")
		})
	}
}

func only(t *testing.T, d daemon) SA {
	sas, err := d.ListSAs(context.Background())
	require.NoError(t, err)
	require.Len(t, sas, 1)
	return sas[0]
}
