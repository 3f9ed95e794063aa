package interop

import (
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ipseclab/ipseclab/hosts"
	"github.com/ipseclab/ipseclab/hosts/policy"
	"github.com/ipseclab/ipseclab/ike"
	"github.com/ipseclab/ipseclab/internal/ipsec"
	"github.com/ipseclab/ipseclab/interop/control"
	"github.com/ipseclab/ipseclab/scenarios"
	"github.com/ipseclab/ipseclab/sim"
)

func TestDeathWords(t *testing.T) {
	for _, tc := range []struct{ name, log, output, want string }{
		{"an assertion", "Nov 30 03:53:26: \"peer\" #2: all is well\nNov 30 03:53:27: ABORT: ASSERTION FAILED: a == b\n", "", "d has died (signal 6, aborted): ABORT: ASSERTION FAILED: a == b"},
		{"a signal, with what follows", "2026-11-30T03:40:07 05[DMN] thread 5 received 11\n05[LIB]  dumping 2 stack frame addresses:\n", "", "d has died (signal 6, aborted): thread 5 received 11"},
		{"the C library", "03:53 the last of the log\n", "free(): invalid pointer\n", "d has died (signal 6, aborted): free(): invalid pointer"},
		{"no reason", "first\nlast\n\n", "printed", "d has died (signal 6, aborted); the last of its log: last"},
		{"no log", "", "one\nprinted\n", "d has died (signal 6, aborted); the last of its log: printed"},
		{"nothing", "", "\n", "d has died (signal 6, aborted)"},
		{"a line without end", "ABORT: " + strings.Repeat("é", 1000) + "\xff", "", "d has died (signal 6, aborted): ABORT: " + strings.Repeat("é", 146) + "…"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			require.Equal(t, tc.want, deathWords(&control.Death{Name: "d", How: "signal 6, aborted", Log: []byte(tc.log), Output: []byte(tc.output)}))
		})
	}
}

// A charon that is killed is told of once in full, then in short, and no more when it runs again.
func TestDaemonThatIsKilled(t *testing.T) {
	d := driverOf(t, "namespace")
	dir := t.TempDir()
	l := newLAN(t, d, scenarios.PeerConfig{Dir: dir, Policy: requires(aliceAddr, ipsec.Tunnel, tripleDES)}, nil, ike.NATTraversal{})
	kill := func(signal string) {
		out, err := l.bob.Run(t.Context(), "kill -"+signal+" $(busybox pidof charon)", 5*time.Second)
		require.NoError(t, err)
		require.Zero(t, out.Code, out.Output)
	}
	ask := func() string {
		var err error
		require.Eventually(t, func() bool { _, err = l.bob.SAs(t.Context()); return err != nil }, 10*time.Second, 10*time.Millisecond)
		require.NotContains(t, err.Error(), "\n")
		return err.Error()
	}
	kill("KILL")
	require.Equal(t, "interop: peer bob: charon has died (signal 9, killed)", ask())
	require.Equal(t, "interop: peer bob: charon has died (signal 9, killed), as told before", ask())
	r, err := l.bob.Ping(t.Context(), hosts.Ping{To: aliceAddr, Count: 1, Timeout: time.Second})
	require.NoError(t, err)
	require.EqualError(t, r.Err, "timed out: the peer has no SA: charon has died (signal 9, killed), as told before")

	require.NoError(t, l.bob.Restart(t.Context(), 0, false))
	sas, err := l.bob.SAs(t.Context())
	require.NoError(t, err)
	require.Empty(t, sas)

	kill("SEGV") // as a pointer that leads nowhere would
	require.Regexp(t, `^interop: peer bob: charon has died \(signal 6, aborted\): thread \d+ received 11$`, ask(), "it is another one")
	require.NoError(t, l.bob.Stop(t.Context()))
	about, err := os.ReadFile(filepath.Join(dir, "about.json"))
	require.NoError(t, err)
	require.Contains(t, string(about), `"died": "charon has died (signal 6, aborted): thread `)
	require.NotContains(t, string(about), `"missing"`, "the dead are not asked")
	require.FileExists(t, filepath.Join(dir, "daemon.log"))
}

// A pluto that aborts is told of with its assertion.
func TestDaemonThatAborts(t *testing.T) {
	d := driverOf(t, "uml-process")
	of := func(peer netip.Addr) *policy.Policy {
		p := requires(peer, ipsec.Transport, ipsec.Transform{Protocol: ipsec.ESP, Cipher: "aes128-gmac"})
		p.MainMode.Proposals[0].Group = 14
		return p
	}
	l := newLAN(t, d, scenarios.PeerConfig{Image: "libreswan", Policy: of(aliceAddr)}, of(bobAddr), ike.NATTraversal{})
	l.on(func(p *sim.Proc) {
		require.Equal(t, "timeout", l.alice.Ping(p, hosts.Ping{To: bobAddr, Count: 1, Timeout: 2 * time.Second}).Result())
	})
	_, err := l.bob.SAs(t.Context())
	require.ErrorContains(t, err, "interop: peer bob: pluto has died (signal 6, aborted): ABORT: ASSERTION FAILED: ")
	require.ErrorContains(t, err, "esp_dst_keymat.len == encrypt_keymat_size")
	require.NotContains(t, err.Error(), "refused")
	require.NoError(t, l.bob.Restart(t.Context(), 0, false))
	_, err = l.bob.SAs(t.Context())
	require.NoError(t, err)
}
