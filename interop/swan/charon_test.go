package swan

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ipseclab/ipseclab/interop/peerconf"
	"github.com/ipseclab/ipseclab/interop/peerconf/jail"
	"github.com/ipseclab/ipseclab/interop/peerconf/sample"
)

// daemon is a charon that runs.
type daemon struct {
	*Client
	jail *jail.Jail
}

// charon runs a real one.
func charon(t *testing.T, image string, k Kind, addresses ...string) daemon {
	conf := Daemon{Kind: k, Log: "/mnt/log", Socket: "/mnt/vici"}
	j := jail.Start(t, image, addresses, "STRONGSWAN_CONF=/mnt/strongswan.conf exec /usr/lib/ipsec/charon",
		map[string]string{"strongswan.conf": conf.Text()}, "log")
	c := NewClient(j.Dial("vici"))
	require.Eventually(t, func() bool {
		_, err := c.Version(context.Background())
		return err == nil
	}, 10*time.Second, 20*time.Millisecond, "charon is not ready")
	return daemon{c, j}
}

// A real charon takes each configuration, and lists what was meant.
func TestCharonLoads(t *testing.T) {
	for _, image := range []string{"strongswan-5.9", "strongswan-6.0"} {
		for _, k := range []Kind{Native, LibIPsec} {
			t.Run(image+"/"+k.String(), func(t *testing.T) {
				c := charon(t, image, k, "10.0.0.1/24", "10.1.0.1/24", "2001:db8::1/64")
				ctx := context.Background()
				v, err := c.Version(ctx)
				require.NoError(t, err)
				require.Contains(t, v.Daemon, "charon")
				t.Log(v)
				algorithms, err := c.Algorithms(ctx)
				require.NoError(t, err)
				for _, s := range sample.Cases() {
					if s.Why != "" {
						continue
					}
					t.Run(s.Name, func(t *testing.T) { loads(t, ctx, c, s, k, algorithms) })
				}
			})
		}
	}
}

// A real charon reads the words for proposals as what was meant: it lists them when it takes a connection.
func TestCharonReadsProposals(t *testing.T) {
	all := proposals(t)
	conf := &Configuration{Connections: &Section{}}
	conn := conf.Connections.section("all")
	conn.list("remote_addrs", "10.0.0.2")
	for _, side := range []string{"local", "remote"} {
		conn.section(side).set("auth", "psk")
	}
	children := conn.section("children")
	main := List{Key: "proposals"}
	var told []*proposal // of main modes last, as charon lists them
	for i, p := range all {
		switch {
		case strings.HasPrefix(p.word, "unsupported"):
		case p.main != nil:
			main.Each = append(main.Each, p.word)
		default:
			children.section(fmt.Sprint(i)).list(strings.ToLower(p.child.Protocol.String())+"_proposals", p.word)
			told = append(told, p)
		}
	}
	for _, p := range all {
		if p.main != nil && !strings.HasPrefix(p.word, "unsupported") {
			told = append(told, p)
		}
	}
	conn.Items = append(conn.Items, main)
	for _, image := range []string{"strongswan-5.9", "strongswan-6.0"} {
		t.Run(image, func(t *testing.T) {
			c := charon(t, image, Native, "10.0.0.1/24")
			require.NoError(t, c.Load(t.Context(), conf))
			var read []string
			for _, m := range regexp.MustCompile(`(?m) proposals = (.*)$`).FindAllStringSubmatch(c.jail.Read("log"), -1) {
				read = append(read, strings.Split(m[1], ", ")...)
			}
			require.Len(t, read, len(told))
			for i, p := range told {
				p.charon = read[i]
			}
			var text strings.Builder
			for _, p := range all {
				text.WriteString(p.line() + "\n")
			}
			golden(t, filepath.Base(recordFile), text.String())
		})
	}
}

func loads(t *testing.T, ctx context.Context, c daemon, s sample.Case, k Kind, algorithms Algorithms) {
	config, err := peerconf.Build(s.Host)
	require.NoError(t, err)
	conf, err := Build(config, k)
	if _, ok := errors.AsType[*peerconf.Unsupported](err); ok {
		t.Skipf("there is nothing to load; TestGolden has what is said of it: %v", err)
	}
	require.NoError(t, err)
	require.NoError(t, conf.Check(algorithms))
	require.NoError(t, c.Load(ctx, conf))
	listed, err := c.Connections(ctx)
	require.NoError(t, err)
	var want, got []string
	for _, i := range conf.Connections.Items {
		want = append(want, i.(*Section).Name)
	}
	for _, l := range listed {
		got = append(got, l.Name)
		i := slices.IndexFunc(config.Connections, func(conn peerconf.Connection) bool { return conn.Name == l.Name })
		if i < 0 {
			require.Len(t, l.Children, len(config.Shunts))
			continue
		}
		for _, ch := range config.Connections[i].Children {
			loaded, ok := l.Children[ch.Name]
			require.True(t, ok, ch.Name)
			require.Equal(t, map[string]string{"tunnel": "TUNNEL", "transport": "TRANSPORT"}[ch.Mode.String()], loaded.Mode)
		}
	}
	slices.Sort(want)
	slices.Sort(got)
	require.Equal(t, want, got)

	// What is trapped, passed and dropped is in force.
	if k.Userspace() {
		return
	}
	var inForce, expected []string
	for _, m := range regexp.MustCompile(`(?m)^[^ /]+/(\S+), [A-Z]+$`).FindAllStringSubmatch(c.swanctl(t, "--list-pols"), -1) {
		inForce = append(inForce, m[1])
	}
	for _, conn := range config.Connections {
		for _, ch := range conn.Children {
			if ch.Start == peerconf.Trap {
				expected = append(expected, ch.Name)
			}
		}
	}
	for _, sh := range config.Shunts {
		expected = append(expected, sh.Name)
	}
	require.ElementsMatch(t, expected, inForce)
}
