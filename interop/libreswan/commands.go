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

// The programs behind the shell script ipsec, which takes longer than they do, in a user-mode Linux machine above all.
const (
	Whack   = "/usr/libexec/ipsec/whack "
	addconn = "/usr/libexec/ipsec/addconn "
)

// Import are the commands that bring the credentials, which lie in a folder of the peer, into the NSS database
// of libreswan. Prepare has made the database.
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

// Prepare are the commands that make what pluto wants to find when it starts. The database of certificates stays
// from one start to the next. It is made without ipsec initnss, a script that takes longer.
func Prepare() []string {
	return []string{
		"mkdir -p /run/pluto /etc/ipsec.d/policies " + nss,
		"[ -e " + nss + "/cert9.db ] || certutil -N -d sql:" + nss + " --empty-password",
	}
}

// Load are the commands that have a pluto that runs take the configuration in its place, with the credentials in a
// folder of the peer, and trap the connections that start by themselves.
func (f *Files) Load(dir string) []string {
	commands := append(f.Import(dir), Whack+"--rereadall")
	if len(f.Connections) > 0 {
		commands = append(commands, addconn+strings.Join(f.Connections, " "))
	}
	for _, name := range f.OnDemand {
		commands = append(commands, Whack+"--route --name "+name)
	}
	return commands
}

// LoadGiven are the commands that have it take a configuration that nobody here has written.
func LoadGiven() []string { return []string{Whack + "--rereadall", addconn + "--autoall"} }

// Each are the commands that do something, as --delete or --terminate, to each connection.
func (f *Files) Each(do string) (commands []string) {
	for _, name := range f.Connections {
		commands = append(commands, Whack+do+" --name "+name)
	}
	return commands
}
