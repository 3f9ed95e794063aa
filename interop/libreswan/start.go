package libreswan

import (
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"
)

// nss is where libreswan keeps its certificates and keys.
const nss = "/var/lib/ipsec/nss"

// Import are the commands that bring the credentials, which lie in a folder of the peer, into the NSS database
// of libreswan. The database has been made (ipsec initnss).
func (f *Files) Import(dir string) (commands []string) {
	for _, name := range slices.Sorted(maps.Keys(f.Credentials)) {
		file, nick := path.Join(dir, name), strings.TrimSuffix(name, path.Ext(name))
		switch {
		case strings.HasPrefix(name, "list-"):
			commands = append(commands, fmt.Sprintf("crlutil -I -B -i %s -d sql:%s", file, nss))
		case strings.HasPrefix(name, "root-"):
			commands = append(commands, fmt.Sprintf("certutil -A -n %s -t CT,, -i %s -d sql:%s", nick, file, nss))
		case path.Ext(name) == ".p12":
			commands = append(commands, fmt.Sprintf("pk12util -i %s -W %s -d sql:%s", file, Password, nss))
		default:
			// The certificate comes before its key, so that it has the name that leftcert= has.
			commands = append(commands, fmt.Sprintf("certutil -A -n %s -t ,, -i %s -d sql:%s", nick, file, nss))
		}
	}
	// An authority is there before the list that it has signed.
	slices.SortStableFunc(commands, func(a, b string) int { return rank(a) - rank(b) })
	return commands
}

func rank(command string) int {
	return slices.Index([]string{"certutil", "pk12util", "crlutil"}, strings.SplitN(command, " ", 2)[0])
}

// Start are the commands that start pluto in a root filesystem that may be read-only, and add the connections.
// conf is the folder with ipsec.conf, ipsec.secrets and the credentials.
func (f *Files) Start(conf string) (commands []string) {
	commands = []string{
		"mount -t tmpfs tmpfs /etc/ipsec.d",
		"mount -t tmpfs tmpfs /var/lib/ipsec",
		"mkdir -p " + nss + " /run/pluto /etc/ipsec.d/policies",
		"mount --bind " + path.Join(conf, "ipsec.conf") + " /etc/ipsec.conf",
		"mount --bind " + path.Join(conf, "ipsec.secrets") + " /etc/ipsec.secrets",
		"ipsec initnss",
	}
	commands = append(commands, f.Import(conf)...)
	commands = append(commands,
		"/usr/libexec/ipsec/pluto --config /etc/ipsec.conf --leak-detective",
		"i=0; until ipsec whack --status >/dev/null 2>&1; do i=$((i+1)); [ $i -lt 200 ] || exit 1; sleep 0.05; done",
		"ipsec whack --listen",
	)
	return append(commands, f.Add()...)
}

// Add are the commands that add the connections, and trap those that start by themselves.
func (f *Files) Add() (commands []string) {
	for _, name := range f.Connections {
		commands = append(commands, "ipsec auto --add "+name)
	}
	for _, name := range f.OnDemand {
		commands = append(commands, "ipsec auto --ondemand "+name)
	}
	return commands
}

// Initiate, Terminate and Rekey are the commands for one connection.
func Initiate(name string) string { return "ipsec auto --up " + name }

// Terminate ends a connection and its SAs.
func Terminate(name string) string { return "ipsec auto --down " + name }

// RekeyChild has pluto replace the IPsec SAs of a connection, RekeyIKE its IKE SA.
func RekeyChild(name string) string { return "ipsec whack --rekey-ipsec --name " + name }

// RekeyIKE has pluto replace the IKE SA of a connection.
func RekeyIKE(name string) string { return "ipsec whack --rekey-ike --name " + name }
