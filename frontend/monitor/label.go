package monitor

import "canopy/plugins"

// The values of the labels. The last method and the last operation stand for
// all others.
var (
	methods = [...]string{
		"GET", "HEAD", "OPTIONS", "PROPFIND", "PROPPATCH", "PUT", "DELETE", "MKCOL",
		"MOVE", "COPY", "LOCK", "UNLOCK", "POST", "other",
	}
	classes    = [...]string{"other", "1xx", "2xx", "3xx", "4xx", "5xx"}
	operations = [...]string{"stat", "list", "open", "digest", "space", "probe", "store", "remove", "mkdir", "move", "copy", "other"}
	kinds      = [...]string{
		0: "ok", plugins.NotFound: "not_found", plugins.NotDirectory: "not_directory", plugins.IsDirectory: "is_directory",
		plugins.Denied: "denied", plugins.Changed: "changed", plugins.OutOfRange: "out_of_range",
		plugins.Unsupported: "unsupported", plugins.Invalid: "invalid",
		plugins.Exists: "exists", plugins.NoParent: "no_parent", plugins.NotEmpty: "not_empty", plugins.Full: "full", plugins.Locked: "locked",
		plugins.Unavailable: "unavailable", plugins.Faulty: "faulty", plugins.Timeout: "timeout", plugins.Busy: "busy",
		plugins.Malformed: "malformed", plugins.Canceled: "canceled", plugins.Canceled + 1: "other",
	}
)

func methodIndex(method string) int {
	for i, m := range methods {
		if m == method {
			return i
		}
	}
	return len(methods) - 1
}

func classIndex(status int) int {
	if status < 100 || status > 599 {
		return 0
	}
	return status / 100
}
