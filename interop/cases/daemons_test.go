package cases_test

import (
	"context"
	"errors"
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ipseclab/ipseclab/interop/peerconf"
	"github.com/ipseclab/ipseclab/interop/swan"
	"github.com/ipseclab/ipseclab/scenarios"
	"github.com/ipseclab/ipseclab/scenarios/spec"
)

// recorder is a driver that starts nothing, and keeps what it was to start.
type recorder struct{ asked []scenarios.PeerConfig }

var errRecorded = errors.New("recorded")

func (*recorder) Date() time.Time { return time.Date(2026, 11, 29, 0, 0, 0, 0, time.UTC) }
func (*recorder) Go(f func())     { go f() }

func (r *recorder) Start(_ context.Context, peers []scenarios.PeerConfig) ([]scenarios.Peer, error) {
	r.asked = peers
	return nil, errRecorded
}

// Either role of each case can be written as a configuration of strongSwan, but for what is here; and
// where ESP is in user space, each case that is about tunnels in UDP, enough to speak of a matrix.
func TestCasesAsConfigurations(t *testing.T) {
	beyond := map[string]string{
		"ah_around_esp/3des-sha1":   "AH and ESP together",
		"ah_around_esp/aes128-none": "AH and ESP together",
		"ah_transport/aes128gmac":   "AH with aes128-gmac",
	}
	about, userspace := notes(t), 0
	for name, cells := range files(t) {
		tags := about[name].Tags
		inUDP := slices.Contains(tags, "tunnel") && slices.Contains(tags, "udp")
		if inUDP {
			userspace += len(cells)
		}
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for _, s := range cells {
				for _, role := range []string{"initiator", "responder"} {
					c := configuration(t, s, role)
					_, err := build(c, swan.Native)
					if why := beyond[s.Name]; why != "" {
						require.ErrorContains(t, err, why, s.Name)
					} else {
						require.NoError(t, err, "%s, %s", s.Name, role)
					}
					if inUDP {
						_, err = build(c, swan.LibIPsec)
						require.NoError(t, err, "%s, %s: in user space", s.Name, role)
					}
				}
			}
		})
	}
	require.GreaterOrEqual(t, userspace, 40)
}

// configuration is what the real peer in the place of a role would be given.
func configuration(t *testing.T, s *spec.Scenario, role string) scenarios.PeerConfig {
	t.Helper()
	x, err := s.WithPeers(map[string]spec.Replacement{role: {Image: "strongswan-5.9"}})
	require.NoError(t, err, s.Name)
	d := &recorder{}
	_, err = scenarios.Run(t.Context(), x, scenarios.Options{Peers: d})
	require.ErrorIs(t, err, errRecorded, s.Name)
	require.Len(t, d.asked, 1, s.Name)
	return d.asked[0]
}

func build(c scenarios.PeerConfig, k swan.Kind) (*swan.Configuration, error) {
	var addresses []netip.Addr
	for _, i := range c.Interfaces {
		for _, p := range i.Prefixes {
			addresses = append(addresses, p.Addr())
		}
	}
	settings, ignored, err := peerconf.SettingsOf(&c.Settings)
	if err != nil {
		return nil, err
	}
	config, err := peerconf.Build(peerconf.Host{
		Policy: c.Policy, Options: c.Options, Addresses: addresses, Certificates: c.Certificates, Settings: settings, Ignored: ignored,
	})
	if err != nil {
		return nil, err
	}
	return swan.Build(config, k)
}
