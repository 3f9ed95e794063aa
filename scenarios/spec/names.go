package spec

import "regexp"

// Filter lists, filter actions, policies and rules have the names that administrators
// give them in Windows, spaces and all. A slash stands between policy and rule where a
// verdict names both, so that no policy may have one.
var validTitle = regexp.MustCompile(`^[^ /\x00-\x1f\x7f]([^/\x00-\x1f\x7f]{0,125}[^ /\x00-\x1f\x7f])?$`)

const titleForm = "at most 127 characters without slashes, and without spaces at the ends"

// titles checks the keys of a mapping of names of Windows.
func (c *checker) titles(path string, names []string) {
	for _, n := range names {
		if !validTitle.MatchString(n) {
			c.key(child(path, n), "%q is no name: use %s", shorten(n), titleForm)
		}
	}
}

// Child is the path of a key below a path, for Errorf: odd keys are quoted.
func Child(path, key string) string { return child(path, key) }
