package interop

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/moby/moby/client"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/ipseclab/ipseclab/hosts"
	"github.com/ipseclab/ipseclab/hosts/policy"
	"github.com/ipseclab/ipseclab/ike"
	"github.com/ipseclab/ipseclab/internal/ipsec"
	"github.com/ipseclab/ipseclab/internal/needs"
	"github.com/ipseclab/ipseclab/internal/trace"
	"github.com/ipseclab/ipseclab/interop/images"
	"github.com/ipseclab/ipseclab/scenarios"
	"github.com/ipseclab/ipseclab/sim"
)

type testWay struct {
	name  string
	tools []string
	opt   Options
}

// ways are the drivers with their variants, each with the tool that it needs.
var ways = []testWay{
	{"uml", []string{"uml", "docker"}, Options{Force: UML}},
	{"uml-process", []string{"uml"}, Options{Force: UML, NoDocker: true}},
	{"container", []string{"docker"}, Options{Force: Container}},
	{"container-frames", []string{"docker"}, Options{Force: Container, Frames: true}},
	{"namespace", []string{"namespace"}, Options{Force: Namespace}},
}

var (
	building     sync.Once
	built        string // the folder of agentProgram
	agentProgram string
	notBuilt     error
)

func TestMain(m *testing.M) {
	code := m.Run()
	if built != "" {
		os.RemoveAll(built)
	}
	os.Exit(code)
}

// agentOf is the agent of this source, not the one of the cache.
func agentOf(t testing.TB) string {
	building.Do(func() {
		if built, notBuilt = os.MkdirTemp("", "ipseclab-agent-"); notBuilt == nil {
			agentProgram, notBuilt = images.BuildAgent(context.Background(), built)
		}
	})
	require.NoError(t, notBuilt)
	return agentProgram
}

// driverOf is a driver by the name of a way; the test skips where the machine cannot do it.
func driverOf(t testing.TB, name string) *Driver {
	t.Helper()
	way := ways[slices.IndexFunc(ways, func(w testWay) bool { return w.name == name })]
	store, err := images.Open("")
	require.NoError(t, err)
	way.opt.Store, way.opt.Agent, way.opt.Log = store, agentOf(t), t.Logf
	if _, _, err := store.Rootfs("strongswan-5.9"); err != nil {
		needs.Missing(t, way.tools[0], err.Error())
	}
	d, err := New(way.opt)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, d.Close()) })
	for _, a := range d.Available(t.Context()) {
		if a.Driver == way.opt.Force && !a.OK {
			needs.Missing(t, way.tools[0], a.Detail)
		}
	}
	if slices.Contains(way.tools, "docker") {
		if _, err := d.engine(t.Context()); err != nil {
			needs.Missing(t, "docker", err.Error())
		}
	}
	return d
}

// A peer of each driver is ready with its policy, reaches the world and itself, runs commands, and leaves
// nothing behind but its evidence.
func TestPeers(t *testing.T) {
	for _, w := range ways {
		t.Run(w.name, func(t *testing.T) {
			d := driverOf(t, w.name)
			dir := t.TempDir()
			l := newLAN(t, d, scenarios.PeerConfig{Dir: dir, Policy: requires(netip.MustParseAddr("10.0.0.77"), ipsec.Tunnel, tripleDES)}, nil, ike.NATTraversal{})
			about := l.bob.About()
			require.Equal(t, w.opt.Force, about.Driver)
			require.Contains(t, about.Daemon, "strongSwan 5.9.8")
			require.NotEmpty(t, about.Kernel)
			require.Contains(t, about.Packages, "strongswan-charon")
			require.Positive(t, about.Ready)
			require.Positive(t, about.Memory)
			t.Logf("ready in %v, %d MB", about.Ready, about.Memory>>20)

			for _, to := range []netip.Addr{bobAddr, aliceAddr} {
				r, err := l.bob.Ping(t.Context(), hosts.Ping{To: to, Count: 3, Size: 100, Interval: 10 * time.Millisecond, Timeout: 5 * time.Second})
				require.NoError(t, err)
				require.Equal(t, "ok", r.Result(), "%v: %v", to, r.Err)
				require.Len(t, r.Latency, 3)
			}
			r, err := l.bob.Call(t.Context(), hosts.Call{To: netip.AddrPortFrom(aliceAddr, 80), Request: 100_000, Response: 200_000, Timeout: 5 * time.Second})
			require.NoError(t, err)
			require.Equal(t, "ok", r.Result(), "%v", r.Err)
			r, err = l.bob.SendDatagrams(t.Context(), hosts.Datagrams{To: netip.AddrPortFrom(aliceAddr, 7), Count: 4, Size: 2000, Grow: 10, Timeout: 5 * time.Second})
			require.NoError(t, err)
			require.Equal(t, "ok", r.Result(), "%v", r.Err)
			l.on(func(p *sim.Proc) {
				r := l.alice.Call(p, hosts.Call{To: netip.AddrPortFrom(bobAddr, 80), Request: 100_000, Response: 200_000, Timeout: 5 * time.Second})
				require.Equal(t, "ok", r.Result(), "%v", r.Err)
			})
			seen, err := l.bob.Seen(t.Context(), scenarios.PeerService{Protocol: ipsec.ProtoTCP, Port: 80})
			require.NoError(t, err)
			require.Equal(t, hosts.Seen{Connections: 1, Bytes: 100_000}, seen)

			out, err := l.bob.Run(t.Context(), "hostname; exit 3", 5*time.Second)
			require.NoError(t, err)
			require.Equal(t, scenarios.PeerOutput{Code: 3, Output: "bob\n"}, out)
			out, err = l.bob.Run(t.Context(), "head -c 3000000 /dev/zero; echo end", 5*time.Second)
			require.NoError(t, err)
			require.EqualValues(t, 3000000+4-1<<20, out.LeftOut)
			require.Regexp(t, `^… 1951428 bytes were left out …\n\x00+end\n$`, out.Text())
			out, err = l.bob.Run(t.Context(), "sleep 100", 100*time.Millisecond)
			require.NoError(t, err)
			require.True(t, out.TimedOut)
			sas, err := l.bob.SAs(t.Context())
			require.NoError(t, err)
			require.Empty(t, sas)

			p := l.bob.(*peer)
			pids := machineProcesses(t, p)
			require.NoError(t, l.bob.Stop(t.Context()))
			require.NoError(t, l.bob.Stop(t.Context()), "twice is as good as once")
			require.NoDirExists(t, p.site.dir)
			for _, pid := range pids {
				require.Eventually(t, func() bool { return !alive(pid) }, 5*time.Second, 20*time.Millisecond, "process %d", pid)
			}
			if d.docker != nil {
				found, err := d.docker.engine.ContainerList(t.Context(), client.ContainerListOptions{
					All: true, Filters: client.Filters{}.Add("label", labelDir+"="+d.work.path),
				})
				require.NoError(t, err)
				require.Empty(t, found.Items)
			}
			for _, name := range []string{"about.json", "daemon.log", "strongswan.conf", "sas.txt", "swanctl/swanctl.conf"} {
				b, err := os.ReadFile(filepath.Join(dir, name))
				require.NoError(t, err)
				require.True(t, len(b) > 0 || name == "sas.txt", name) // there are no SAs
			}
			if w.opt.Force == UML {
				require.FileExists(t, filepath.Join(dir, "xfrm-policy.txt"))
				require.FileExists(t, filepath.Join(dir, "kernel.log"))
			}
			_, err = l.bob.Run(t.Context(), "true", time.Second)
			require.ErrorContains(t, err, "peer bob")
		})
	}
}

// machineProcesses are those of a machine, as this machine sees them.
func machineProcesses(t *testing.T, p *peer) []int {
	pid := 0
	switch m := p.machine.(type) {
	case *process:
		pid = m.cmd.Process.Pid
	case *box:
		var err error
		pid, err = m.pid(t.Context())
		require.NoError(t, err)
	}
	all := descendants(pid)
	require.Greater(t, len(all), 1, "the agent has started a daemon")
	return all
}

func alive(pid int) bool {
	_, err := os.Stat(filepath.Join("/proc", strconv.Itoa(pid)))
	return err == nil
}

// What either side negotiates is the same SA at both, with the same keys.
func TestTransportModeWithVirtualHost(t *testing.T) {
	d := driverOf(t, "uml-process")
	l := newLAN(t, d, scenarios.PeerConfig{Policy: requires(aliceAddr, ipsec.Transport, tripleDES)}, requires(bobAddr, ipsec.Transport, tripleDES), ike.NATTraversal{})
	r, err := l.bob.Ping(t.Context(), hosts.Ping{To: aliceAddr, Count: 2, Size: 100, Interval: 10 * time.Millisecond, Timeout: 5 * time.Second})
	require.NoError(t, err)
	require.Equal(t, "ok", r.Result(), "%v", r.Err)
	l.compare()
	n := l.protocols()
	require.Zero(t, n[ipsec.ProtoICMP], "nothing in the clear")
	require.GreaterOrEqual(t, n[ipsec.ProtoESP], 4)

	// Another policy, or none, ends the SAs on both sides; then the other side begins.
	require.NoError(t, l.bob.Assign(t.Context(), nil))
	require.Eventually(t, func() bool { return l.aliceSAs() == 0 }, 5*time.Second, 50*time.Millisecond)
	sas, err := l.bob.SAs(t.Context())
	require.NoError(t, err)
	require.Empty(t, sas)
	require.NoError(t, l.bob.Assign(t.Context(), requires(aliceAddr, ipsec.Transport, tripleDES)))
	l.on(func(p *sim.Proc) {
		for range 3 { // charon's kernel has the SA a moment after the last message
			if r := l.alice.Ping(p, hosts.Ping{To: bobAddr, Count: 1, Size: 100, Timeout: time.Second}); r.Result() == "ok" {
				return
			}
		}
		require.Fail(t, "no answer")
	})
	l.compare()

	// A daemon that is killed forgets, and negotiates anew.
	require.NoError(t, l.bob.Restart(t.Context(), 100*time.Millisecond, false))
	sas, err = l.bob.SAs(t.Context())
	require.NoError(t, err)
	require.Empty(t, sas)
	r, err = l.bob.Ping(t.Context(), hosts.Ping{To: aliceAddr, Count: 1, Size: 100, Timeout: 10 * time.Second})
	require.NoError(t, err)
	require.Equal(t, "ok", r.Result(), "%v", r.Err)
}

// Where charon protects packets itself, nothing that the policy wants to have protected leaves in the clear
// while there is no SA, nor while there is no charon.
func TestNothingInTheClearWithoutSAs(t *testing.T) {
	d := driverOf(t, "namespace")
	l := newLAN(t, d, scenarios.PeerConfig{Policy: requires(aliceAddr, ipsec.Tunnel, tripleDES)}, nil, ike.NATTraversal{})
	ask := func(want string, requests int) {
		l.on(func(p *sim.Proc) {
			r := l.alice.Ping(p, hosts.Ping{To: bobAddr, Count: 1, Size: 100, Timeout: time.Second})
			require.Equal(t, want, r.Result())
		})
		require.Equal(t, requests, l.protocols()[ipsec.ProtoICMP], "requests and answers")
	}
	ask("timeout", 1)
	require.NoError(t, l.bob.Restart(t.Context(), 0, false))
	ask("timeout", 2)
	require.NoError(t, l.bob.(*peer).daemon.stop(t.Context(), false))
	ask("timeout", 3)
	require.NoError(t, l.bob.(*peer).daemon.start(t.Context()))
	require.NoError(t, l.bob.Assign(t.Context(), nil))
	ask("ok", 5)
}

// compare compares what both sides say of their SAs.
func (l *lan) compare() {
	sas, err := l.bob.SAs(l.Context())
	require.NoError(l, err)
	require.Len(l, sas, 2)
	own := map[uint32]trace.SAAdded{}
	l.look(func() {
		for _, e := range l.log.Events() {
			if a, ok := e.Body.(trace.SAAdded); ok && e.Node == "alice" {
				own[a.SPI] = a
			}
		}
	})
	for _, s := range sas {
		a, ok := own[s.SPI]
		require.True(l, ok, "alice has no SA with SPI %08x", s.SPI)
		require.NotEqual(l, a.Direction, s.Direction)
		require.NotEqual(l, a.Initiator, s.Initiator)
		require.NotZero(l, s.Packets)
		require.NotZero(l, s.Bytes)
		a.Direction, a.Initiator, a.Rule, a.Seconds, a.Kilobytes = s.Direction, s.Initiator, s.Rule, s.Seconds, s.Kilobytes
		require.Equal(l, a, s.SAAdded, "all else is the same")
	}
}

func (l *lan) aliceSAs() (n int) {
	l.look(func() { n = len(l.alice.SAs()) })
	return n
}

// The other daemons, each in the way that it takes: Libreswan has neither of the small groups, OpenIKED no IKEv1.
func TestOtherDaemons(t *testing.T) {
	t.Run("libreswan", func(t *testing.T) {
		d := driverOf(t, "uml-process")
		dir := t.TempDir()
		of := func(peer netip.Addr) *policy.Policy {
			p := requires(peer, ipsec.Transport, tripleDES)
			p.MainMode.Proposals[0].Group = 14
			return p
		}
		l := newLAN(t, d, scenarios.PeerConfig{Dir: dir, Image: "libreswan", Policy: of(aliceAddr)}, of(bobAddr), ike.NATTraversal{})
		r, err := l.bob.Ping(t.Context(), hosts.Ping{To: aliceAddr, Count: 2, Size: 100, Interval: 10 * time.Millisecond, Timeout: 10 * time.Second})
		require.NoError(t, err)
		require.Equal(t, "ok", r.Result(), "%v", r.Err)
		l.compare()
		require.Zero(t, l.protocols()[ipsec.ProtoICMP], "nothing in the clear")
		require.NoError(t, l.bob.Restart(t.Context(), 0, false))
		require.NoError(t, l.bob.Assign(t.Context(), nil))
		sas, err := l.bob.SAs(t.Context())
		require.NoError(t, err)
		require.Empty(t, sas)
		require.NoError(t, l.bob.Stop(t.Context()))
		for _, name := range []string{"daemon.log", "ipsec.conf", "sas.txt", "xfrm-state.txt"} {
			require.FileExists(t, filepath.Join(dir, name))
		}
	})
	t.Run("openiked", func(t *testing.T) {
		d := driverOf(t, "uml-process")
		l := newLAN(t, d, scenarios.PeerConfig{Image: "openiked"}, requires(bobAddr, ipsec.Transport, tripleDES), ike.NATTraversal{})
		require.Contains(t, l.bob.About().Daemon, "OpenIKED 7.2")
		l.on(func(p *sim.Proc) {
			r := l.alice.Ping(p, hosts.Ping{To: bobAddr, Count: 1, Size: 100, Timeout: 3 * time.Second})
			require.Equal(t, "timeout", r.Result(), "it does not answer IKEv1")
		})
		require.NoError(t, l.bob.Restart(t.Context(), 0, true))
	})
	t.Run("ike-scan", func(t *testing.T) {
		d := driverOf(t, "namespace")
		l := newLAN(t, d, scenarios.PeerConfig{Image: "ike-scan"}, requires(bobAddr, ipsec.Transport, tripleDES), ike.NATTraversal{})
		out, err := l.bob.Run(t.Context(), "ike-scan --trans=5,2,1,2 10.0.0.1", 10*time.Second)
		require.NoError(t, err)
		require.Contains(t, out.Output, "1 returned handshake")
	})
}

// Without ESP in the kernel charon protects the packets itself: ESP in UDP, in tunnel mode, when it is told.
func TestTunnelModeWithoutKernel(t *testing.T) {
	d := driverOf(t, "namespace")
	force := ike.NATTraversal{Dialects: []ike.NATDialect{ike.NATRFC3947}, Force: true}
	l := newLAN(t, d, scenarios.PeerConfig{Policy: requires(aliceAddr, ipsec.Tunnel, tripleDES)}, requires(bobAddr, ipsec.Tunnel, tripleDES), force)
	r, err := l.bob.Ping(t.Context(), hosts.Ping{To: aliceAddr, Count: 2, Size: 100, Interval: 10 * time.Millisecond, Timeout: 5 * time.Second})
	require.NoError(t, err)
	require.Equal(t, "ok", r.Result(), "%v", r.Err)
	require.Zero(t, l.protocols()[ipsec.ProtoICMP], "nothing in the clear")
	sas, err := l.bob.SAs(t.Context())
	require.NoError(t, err)
	require.Len(t, sas, 2)
	require.Equal(t, "tunnel", sas[0].Mode)
	require.Equal(t, "3des-cbc hmac-sha1-96", sas[0].Cipher+" "+sas[0].Auth)
	require.NotZero(t, sas[0].DstPort)
	require.Empty(t, sas[0].CipherKey, "nobody tells the keys")
}

// nowhere is an interface of bob's whose frames nobody takes.
func nowhere() []scenarios.PeerInterface {
	return []scenarios.PeerInterface{{
		Segment: "lan", MAC: sim.MACFor("bob", "lan"), MTU: 1500, Prefixes: []netip.Prefix{netip.PrefixFrom(bobAddr, 24)}, Deliver: func([]byte) {},
	}}
}

// What a driver cannot do is unsupported, and said in a sentence.
func TestUnsupported(t *testing.T) {
	d := driverOf(t, "namespace")
	start := func(c scenarios.PeerConfig) error {
		c.Name, c.Interfaces = "bob", nowhere()
		if c.Image == "" {
			c.Image = "strongswan-5.9"
		}
		_, err := d.Start(t.Context(), []scenarios.PeerConfig{c})
		require.ErrorIs(t, err, scenarios.ErrUnsupported)
		require.Regexp(t, `^peer bob: .*$`, err.Error(), "the reason in one line")
		require.NotContains(t, err.Error(), "unsupported")
		require.NotContains(t, err.Error(), "interop")
		return err
	}
	require.ErrorContains(t, start(scenarios.PeerConfig{Policy: requires(aliceAddr, ipsec.Transport, tripleDES)}), "tunnel mode alone")
	gmac := ipsec.Transform{Protocol: ipsec.ESP, Cipher: "aes128-gmac"}
	require.ErrorContains(t, start(scenarios.PeerConfig{Policy: requires(aliceAddr, ipsec.Tunnel, gmac)}), "aes128-gmac: this charon has no NULL_AES_GMAC")
	require.ErrorContains(t, start(scenarios.PeerConfig{Date: time.Date(2005, 3, 30, 0, 0, 0, 0, time.UTC)}), "shares this machine's clock")
	require.ErrorContains(t, start(scenarios.PeerConfig{Image: "ike-scan", Policy: requires(aliceAddr, ipsec.Tunnel, tripleDES)}), "no IKE daemon")
	require.ErrorContains(t, start(scenarios.PeerConfig{Image: "libreswan"}), "has no ESP: use driver uml")
	requireNoFolders(t, d)
}

// Namespaces are tried before they are offered: what does not go says why, and what to do.
func TestNamespacesThatCannotBe(t *testing.T) {
	d := driverOf(t, "namespace")
	cannot := filepath.Join(private(t), "agent")
	require.NoError(t, os.WriteFile(cannot, []byte("#!/bin/sh\necho mounted this and that >&2\necho agent: mounting proc: not here >&2\nexit 1\n"), 0o755))
	d.opt.Agent, d.tried = cannot, sync.Once{}
	all := d.Available(t.Context())
	require.Equal(t, Availability{
		Driver: Namespace, Detail: "namespaces have not what a peer needs here: agent: mounting proc: not here: become root, or use driver uml",
	}, all[len(all)-1])
	_, err := d.Start(t.Context(), []scenarios.PeerConfig{{Name: "bob", Image: "strongswan-5.9", Interfaces: nowhere()}})
	require.ErrorIs(t, err, scenarios.ErrUnsupported)
	requireNoFolders(t, d)

	require.NoError(t, os.WriteFile(cannot, []byte("#!/bin/sh\nexec sleep 1000\n"), 0o755))
	short, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	require.NoError(t, d.tryNamespace(short, cannot), "who is slow may do well yet")
	requireNoFolders(t, d)
}

// requireNoFolders sees to it that peers that did not start have left nothing behind.
func requireNoFolders(t *testing.T, d *Driver) {
	t.Helper()
	left, err := filepath.Glob(filepath.Join(d.work.path, "[0-9]*"))
	require.NoError(t, err)
	require.Empty(t, left, "folders of peers")
}

// An image that does not exist is a mistake, which no driver could do better.
func TestNoSuchImage(t *testing.T) {
	d := driverOf(t, "namespace")
	_, err := d.Start(t.Context(), []scenarios.PeerConfig{{Name: "bob", Image: "windows-2003", Interfaces: nowhere()}})
	require.ErrorContains(t, err, `peer bob: images: no image is called "windows-2003": there are [`)
	require.NotErrorIs(t, err, scenarios.ErrUnsupported)
	requireNoFolders(t, d)
}

// What the daemon of a user-mode Linux machine cannot be told is known before there is a machine.
func TestUnsupportedWithoutMachine(t *testing.T) {
	for name, actual := range map[string]struct {
		c    scenarios.PeerConfig
		want string
	}{
		"by any daemon": {scenarios.PeerConfig{Options: policy.Options{ModeConfig: &ike.ModeConfig{}}}, "mode config"},
		"by charon":     {scenarios.PeerConfig{Policy: requires(aliceAddr, ipsec.Transport, ipsec.Transform{Protocol: ipsec.AH, Auth: "aes128-gmac"})}, "AH with aes128-gmac: strongSwan has no word for it"},
	} {
		if actual.c.Policy == nil {
			actual.c.Policy = requires(aliceAddr, ipsec.Transport, tripleDES)
		}
		p := &peer{cfg: actual.c, info: images.Info{Profile: images.Profile{Name: "strongswan-5.9"}}}
		p.cfg.Name, p.cfg.Interfaces = "bob", nowhere()
		require.ErrorContains(t, p.foresee(&way{word: UML}), actual.want, name)
		p.cfg.Files = map[string]string{"/etc/swanctl/swanctl.conf": ""}
		require.NoError(t, p.foresee(&way{word: UML}), "the scenario brings the configuration")
	}
}

func TestUserModeLinuxHasItsOwnDate(t *testing.T) {
	d := driverOf(t, "uml-process")
	l := newLAN(t, d, scenarios.PeerConfig{Date: time.Date(2005, 3, 30, 12, 0, 0, 0, time.UTC)}, nil, ike.NATTraversal{})
	out, err := l.bob.Run(t.Context(), "date -u +%Y-%m-%d", time.Second)
	require.NoError(t, err)
	require.Equal(t, "2005-03-30\n", out.Output)
}

// One peer that cannot be had ends the others, and the end of ctx ends all.
func TestStartFailsAsAWhole(t *testing.T) {
	d := driverOf(t, "namespace")
	good := scenarios.PeerConfig{Name: "good", Image: "strongswan-5.9", Interfaces: nowhere()}
	bad := scenarios.PeerConfig{Name: "bad", Image: "strongswan-5.9", Interfaces: nowhere(), Policy: requires(aliceAddr, ipsec.Transport, tripleDES)}
	_, err := d.Start(t.Context(), []scenarios.PeerConfig{good, bad})
	require.ErrorIs(t, err, scenarios.ErrUnsupported)
	require.ErrorContains(t, err, "peer bad")
	require.Empty(t, d.peers)

	late := errors.New("the time of the cell is over")
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(late)
	_, err = d.Start(ctx, []scenarios.PeerConfig{good})
	require.ErrorIs(t, err, late)
	require.Empty(t, d.peers)
}

// A peer that does not come to be ready is killed when its time is over, and holds nobody up.
func TestStartThatHangs(t *testing.T) {
	dir := t.TempDir()
	agent, note := filepath.Join(dir, "agent"), filepath.Join(dir, "pid")
	require.NoError(t, os.WriteFile(agent, []byte("#!/bin/sh\nsleep 1000 & echo it sleeps >&2; readlink /proc/self/ns/net >"+note+"; wait\n"), 0o755))
	d := driverOf(t, "namespace") // which has been tried, with an agent that is none like this
	d.opt.Agent, d.opt.StartLimit = agent, 500*time.Millisecond
	start := time.Now()
	_, err := d.Start(t.Context(), []scenarios.PeerConfig{{Name: "bob", Image: "strongswan-5.9", Interfaces: nowhere(), Dir: filepath.Join(dir, "bob")}})
	require.ErrorContains(t, err, "interop: peer bob: ")
	require.ErrorContains(t, err, "not ready within 500ms")
	require.ErrorContains(t, err, "the last of what it has printed:\n\tit sleeps")
	require.Less(t, time.Since(start), 10*time.Second)
	require.Empty(t, d.peers)
	space, err := os.ReadFile(note)
	require.NoError(t, err)
	require.Eventually(t, func() bool { return !living(strings.TrimSpace(string(space))) }, 5*time.Second, 20*time.Millisecond, "nothing lives in its namespaces")
}

// living reports whether a process has this network namespace.
func living(space string) bool {
	links, _ := filepath.Glob("/proc/[0-9]*/ns/net")
	return slices.ContainsFunc(links, func(link string) bool {
		to, err := os.Readlink(link)
		return err == nil && to == space
	})
}

// The peer that failed by itself is told of, wherever the others were when they were given up.
func TestFirstCause(t *testing.T) {
	own := errors.New("no such image")
	for _, given := range []error{context.Canceled, fmt.Errorf("control: exec: %w", errOther)} {
		require.Equal(t, own, firstCause([]error{nil, given, own}))
		require.Equal(t, given, firstCause([]error{given, nil}))
	}
	require.NoError(t, firstCause([]error{nil, nil}))
}

// A peer that hangs is ended in time, and about.json says what it did not tell.
func TestPeerThatHangs(t *testing.T) {
	d := driverOf(t, "namespace")
	dir := t.TempDir()
	l := newLAN(t, d, scenarios.PeerConfig{Dir: dir}, nil, ike.NATTraversal{})
	p := l.bob.(*peer)
	for _, pid := range descendants(p.machine.(*process).cmd.Process.Pid) {
		require.NoError(t, unix.Kill(pid, unix.SIGSTOP))
	}
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	start := time.Now()
	_, err := l.bob.Run(ctx, "true", time.Minute)
	require.ErrorIs(t, err, context.DeadlineExceeded)
	ctx, cancel = context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	require.NoError(t, l.bob.Stop(ctx))
	require.Less(t, time.Since(start), 5*time.Second)
	b, err := os.ReadFile(filepath.Join(dir, "about.json"))
	require.NoError(t, err)
	require.Contains(t, string(b), `"missing"`)
}

func TestNew(t *testing.T) {
	store, err := images.Open("")
	require.NoError(t, err)
	_, err = New(Options{Store: store, Force: "vmware"})
	require.ErrorContains(t, err, `no driver is called "vmware": there are uml, container, namespace`)
	_, err = New(Options{})
	require.ErrorContains(t, err, "store of images")
}

// BenchmarkReady is how long a peer takes from nothing to a daemon that has its policy, and to its end; memory is
// what it takes of this machine when it is ready.
func BenchmarkReady(b *testing.B) {
	for _, w := range ways {
		b.Run(w.name, func(b *testing.B) {
			d := driverOf(b, w.name)
			var ready time.Duration
			var memory uint64
			for b.Loop() {
				peers, err := d.Start(b.Context(), []scenarios.PeerConfig{{
					Name: "bob", Image: "strongswan-5.9", Policy: requires(aliceAddr, ipsec.Tunnel, tripleDES), Interfaces: nowhere(),
				}})
				require.NoError(b, err)
				ready += peers[0].About().Ready
				memory += peers[0].About().Memory
				require.NoError(b, peers[0].Stop(b.Context()))
			}
			b.ReportMetric(ready.Seconds()/float64(b.N), "ready-s")
			b.ReportMetric(float64(memory>>20)/float64(b.N), "MB")
		})
	}
}
