package libreswan

import (
	"context"
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ipseclab/ipseclab/ike"
	"github.com/ipseclab/ipseclab/interop/peerconf"
	"github.com/ipseclab/ipseclab/interop/peerconf/jail"
	"github.com/ipseclab/ipseclab/interop/peerconf/sample"
	"github.com/ipseclab/ipseclab/interop/swan"
)

// pluto and charon, each with what is made of one end of a tunnel, agree on a main mode. Packets go nowhere: pluto wants the
// kernel's ESP, which a machine that makes namespaces may lack.
func TestPlutoMeetsCharon(t *testing.T) {
	stores := sample.Stores([]string{"alice.lab.example", "bob.lab.example"}, []netip.Addr{sample.Own, sample.Peer})
	for _, c := range []struct {
		name   string
		change func(*peerconf.Host, int)
		id     string
	}{
		{"preshared key", func(*peerconf.Host, int) {}, "10.0.0.2"},
		{"aggressive mode", func(h *peerconf.Host, _ int) { h.Options.AggressiveMode = true }, "10.0.0.2"},
		{"certificates", func(h *peerconf.Host, i int) { sample.ByCertificate(h, stores[i]) }, "O=Lab, CN=bob.lab.example"},
	} {
		t.Run(c.name, func(t *testing.T) {
			own, peer := sample.Gateways("ESP[AES128,SHA1]")
			for i, h := range []*peerconf.Host{&own, &peer} {
				c.change(h, i)
				h.Policy.MainMode.Proposals = []ike.MainModeProposal{{Cipher: "aes128-cbc", Hash: "sha1", Group: 14}}
			}
			config, err := peerconf.Build(own)
			require.NoError(t, err)
			conf, err := swan.Build(config, swan.Native)
			require.NoError(t, err)
			charon := jail.Start(t, "strongswan-5.9", []string{"10.1.0.1/24"}, "STRONGSWAN_CONF=/mnt/strongswan.conf exec /usr/lib/ipsec/charon",
				map[string]string{"strongswan.conf": swan.Daemon{Log: "/mnt/log", Socket: "/mnt/vici"}.Text()}, "log")

			config, err = peerconf.Build(peer)
			require.NoError(t, err)
			files, err := Build(config, Config{Log: "/mnt/log"})
			require.NoError(t, err)
			other := pluto(t, files, func(j *jail.Jail) { require.NoError(t, jail.Wire(charon, j, "10.0.0.1/24", "10.0.0.2/24")) }, "10.2.0.1/24")

			ctx := context.Background()
			client := swan.NewClient(charon.Dial("vici"))
			require.Eventually(t, func() bool { _, err := client.Version(ctx); return err == nil }, 10*time.Second, 20*time.Millisecond)
			require.NoError(t, client.Load(ctx, conf))
			_ = client.Initiate(ctx, "to-10-0-0-2", "outwards", time.Second) // of which a main mode is left, where the kernel has no ESP
			sas, err := client.ListSAs(ctx)
			require.NoError(t, err)
			i := slices.IndexFunc(sas, func(s swan.SA) bool { return s.State == "ESTABLISHED" })
			require.GreaterOrEqual(t, i, 0, "%+v", sas)
			require.Equal(t, []any{c.id, "aes128-cbc", "sha1", uint16(14)}, []any{sas[i].RemoteID, sas[i].Cipher, sas[i].Hash, sas[i].Group})

			out, err := other.Inside("ipsec whack --showstates")
			require.NoError(t, err)
			t.Log(out)
			states := Status(out)
			i = slices.IndexFunc(states, func(s State) bool { return s.Connection == "outwards" && s.Established && s.Parent == 0 })
			require.GreaterOrEqual(t, i, 0, out)
			require.Positive(t, states[i].ReplaceIn)
		})
	}
}
