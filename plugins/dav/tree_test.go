package dav

import (
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"canopy/plugins"
	"canopy/plugins/webclient"
)

// multi answers with a multistatus of these responses.
func multi(w http.ResponseWriter, responses string) {
	w.WriteHeader(http.StatusMultiStatus)
	io.WriteString(w, `<D:multistatus xmlns:D="DAV:">`+responses+`</D:multistatus>`)
}

// TestUndone: what a 207 tells of counts, for all that answer with one.
func TestUndone(t *testing.T) {
	for name, c := range map[string]struct {
		status    int
		responses string
		want      plugins.Kind
		tells     string
	}{
		"done":                  {204, "", 0, ""},
		"accepted":              {202, "", plugins.Malformed, "202"},
		"nothing went wrong":    {207, "", 0, ""},
		"a member is locked":    {207, failed("/d/f/a", "204 No Content") + failed("/d/f/b", "423 Locked") + failed("/d/f", "403 Forbidden"), plugins.Locked, `423 about "/d/f/b"`},
		"a member is refused":   {207, failed("/d/f/b", "403 Forbidden"), plugins.Denied, "403"},
		"no room":               {207, failed("/d/f/b", "507 Insufficient Storage"), plugins.Full, "507"},
		"a member was gone":     {207, failed("/d/f/b", "404 Not Found"), 0, ""},
		"the answer is cut off": {207, "<D:response><D:href>", plugins.Malformed, ""},
		"a failure, then cut":   {207, failed("/d/f/b", "423 Locked") + "<D:response>", plugins.Malformed, ""},
	} {
		e := serve(t, func(w http.ResponseWriter, r *http.Request) {
			switch {
			case r.Method == "PROPFIND" && strings.Contains(r.URL.Path, "new"):
				w.WriteHeader(http.StatusNotFound)
			case r.Method == "PROPFIND":
				multi(w, response(r.URL.Path, dir))
			case c.status == http.StatusMultiStatus:
				multi(w, c.responses)
			default:
				w.WriteHeader(c.status)
			}
		})
		for op, do := range map[string]func() error{
			"remove": func() error { return e.Remove(t.Context(), "/f") },
			"mkdir":  func() error { return e.MakeDirectory(t.Context(), "/new") },
			"move":   func() error { return e.Move(t.Context(), "/f", "/new", false) },
		} {
			err := do()
			if plugins.KindOf(err) != c.want || err != nil && !strings.Contains(err.Error(), c.tells) {
				t.Errorf("%s, %s: %v, want %v", name, op, err, c.want)
			}
			if f, ok := err.(*plugins.Error); err != nil && (!ok || f.Op != op || f.Path == "") {
				t.Errorf("%s, %s: %v", name, op, err)
			}
		}
	}
}

// requests writes down what is asked of a storage beyond PROPFIND, each with
// its Destination.
func requests(asked *[]string, r *http.Request) {
	if r.Method != "PROPFIND" {
		*asked = append(*asked, strings.TrimSpace(r.Method+" "+r.RequestURI+" "+r.Header.Get("Overwrite")+" "+r.Header.Get("Destination")))
	}
}

// TestRemove: the slash of a directory is added where it is missed, and a
// storage that removes no full one is understood.
func TestRemove(t *testing.T) {
	for name, c := range map[string]struct {
		path  string
		bare  int
		slash int
		full  bool
		want  plugins.Kind
		asked []string
	}{
		"file":                   {"/f", 204, 0, false, 0, []string{"DELETE /d/f"}},
		"absent":                 {"/none", 404, 0, false, plugins.NotFound, []string{"DELETE /d/none"}},
		"name it cannot take":    {"/none", 400, 0, false, plugins.Invalid, []string{"DELETE /d/none"}},
		"directory, any form":    {"/x", 204, 0, true, 0, []string{"DELETE /d/x"}},
		"directory, with slash":  {"/x", 409, 204, true, 0, []string{"DELETE /d/x", "DELETE /d/x/"}},
		"directory, full":        {"/x", 500, 500, true, plugins.NotEmpty, []string{"DELETE /d/x", "DELETE /d/x/"}},
		"directory, empty":       {"/x", 500, 500, false, plugins.Faulty, []string{"DELETE /d/x", "DELETE /d/x/"}},
		"file that is protected": {"/f", 403, 0, false, plugins.Denied, []string{"DELETE /d/f"}},
		"storage has no DELETE":  {"/f", 405, 0, false, plugins.Unsupported, []string{"DELETE /d/f"}},
		"root":                   {"/", 204, 204, true, plugins.Invalid, nil},
	} {
		var asked []string
		e := serve(t, func(w http.ResponseWriter, r *http.Request) {
			requests(&asked, r)
			slash := strings.HasSuffix(r.URL.Path, "/")
			switch {
			case strings.HasPrefix(r.URL.Path, "/d/none"):
				w.WriteHeader(c.bare)
			case r.Method == http.MethodDelete && slash:
				w.WriteHeader(c.slash)
			case r.Method == http.MethodDelete:
				w.WriteHeader(c.bare)
			case r.URL.Path == "/d/f":
				multi(w, response("/d/f", file))
			case c.full && slash:
				multi(w, response("/d/x/", dir)+response("/d/x/y", file))
			default:
				multi(w, response("/d/x/", dir))
			}
		})
		err := e.Remove(t.Context(), c.path)
		wantKind(t, err, c.want)
		if !slices.Equal(asked, c.asked) {
			t.Errorf("%s: asked %q, want %q", name, asked, c.asked)
		}
	}
}

func TestMoveAsks(t *testing.T) {
	const host = "http://HOST/d"
	for name, c := range map[string]struct {
		software, from, to string
		replace            bool
		want               plugins.Kind
		asked              string
	}{
		"file":                     {"", "/f", "/new", false, 0, "MOVE /d/f F " + host + "/new"},
		"over a file":              {"", "/f", "/g", true, 0, "MOVE /d/f T " + host + "/g"},
		"over a file, not allowed": {"", "/f", "/g", false, plugins.Exists, ""},
		"over a directory":         {"", "/f", "/x", true, plugins.Exists, ""},
		"directory":                {"", "/x", "/new", false, 0, "MOVE /d/x/ F " + host + "/new/"},
		"directory over a file":    {"", "/x", "/f", true, plugins.Exists, ""},
		"into itself":              {"", "/x", "/x/new", false, plugins.Invalid, ""},
		"beside itself":            {"", "/x", "/xnew", false, 0, "MOVE /d/x/ F " + host + "/xnew/"},
		"onto itself":              {"", "/f", "/f", true, plugins.Invalid, ""},
		"from nothing":             {"", "/new1", "/new2", false, plugins.NotFound, ""},
		"to nowhere":               {"", "/f", "/new/new", false, plugins.NoParent, ""},
		"below a file":             {"", "/f", "/g/new", false, plugins.NoParent, ""},
		"root":                     {"", "/", "/new", false, plugins.Invalid, ""},
		"over the root":            {"", "/f", "/", true, plugins.Invalid, ""},
		"any bytes":                {"", "/f", "/new\r\n%\xff", false, 0, "MOVE /d/f F " + host + "/new%0D%0A%25%FF"},
		"XRootD, plain":            {"XrootD/v5.5.3", "/f", "/new", false, 0, "MOVE /d/f F " + host + "/new"},
		"XRootD, literally":        {"XrootD/v5.5.3", "/f", "/new %é ", false, 0, "MOVE /d/f F " + host + "/new %é ?canopy"},
		"XRootD, directory":        {"XrootD/v5.5.3", "/x", "/new é", false, 0, "MOVE /d/x/ F " + host + "/new é/?canopy"},
		"XRootD, question mark":    {"XrootD/v5.5.3", "/f", "/new?", false, plugins.Invalid, ""},
		"XRootD, line break":       {"XrootD/v5.5.3", "/f", "/new\r\nX: y", false, plugins.Invalid, ""},
	} {
		var asked []string
		moved := false
		e := serve(t, func(w http.ResponseWriter, r *http.Request) {
			requests(&asked, r)
			if c.software != "" {
				w.Header().Set("Server", c.software)
			}
			path := strings.TrimSuffix(strings.TrimPrefix(r.URL.Path, "/d"), "/")
			found := map[string]string{"": dir, "/f": file, "/g": file, "/x": dir}[path]
			switch {
			case r.Method == "MOVE":
				moved = true
				w.WriteHeader(http.StatusCreated)
			case strings.HasPrefix(path, "/g/") && !moved:
				w.WriteHeader(http.StatusBadRequest)
			case moved:
				multi(w, response(r.URL.EscapedPath(), file))
			case found == "":
				w.WriteHeader(http.StatusNotFound)
			default:
				multi(w, response(r.URL.EscapedPath(), found))
			}
		})
		err := e.Move(t.Context(), c.from, c.to, c.replace)
		wantKind(t, err, c.want)
		want := strings.Replace(c.asked, "http://HOST/d", strings.TrimSuffix(e.client.URL("/", true), "/"), 1)
		if got := strings.Join(asked, ", "); got != want {
			t.Errorf("%s: asked %q, want %q; %v", name, got, want, err)
		}
	}
}

// TestMoveAnswers: what a storage says to MOVE after all that was found out
// first.
func TestMoveAnswers(t *testing.T) {
	for name, c := range map[string]struct {
		status   int
		software string
		arrived  bool
		want     plugins.Kind
	}{
		"done":                             {201, "", true, 0},
		"somebody else was faster":         {412, "", false, plugins.Exists},
		"the directory went away":          {409, "", false, plugins.NoParent},
		"it went away":                     {404, "", false, plugins.NotFound},
		"sent twice":                       {404, "", true, 0},
		"thought to be for another server": {502, "", false, plugins.Faulty},
		"no MOVE":                          {405, "", false, plugins.Unsupported},
		"no room":                          {507, "", false, plugins.Full},
		"said to be done, and is not":      {201, "XrootD/v5.5.3", false, plugins.Malformed},
		"said to be done, and is":          {201, "XrootD/v5.5.3", true, 0},
	} {
		asked := false
		e := serve(t, func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Server", c.software)
			switch {
			case r.Method == "MOVE":
				asked = true
				w.WriteHeader(c.status)
			case r.URL.Path == "/d/a new":
				if !asked || !c.arrived {
					w.WriteHeader(http.StatusNotFound)
					return
				}
				multi(w, response("/d/a%20new", file))
			case r.URL.Path == "/d/f":
				multi(w, response("/d/f", file))
			default:
				multi(w, response("/d/", dir))
			}
		})
		if err := e.Move(t.Context(), "/f", "/a new", false); plugins.KindOf(err) != c.want {
			t.Errorf("%s: %v, want %v", name, err, c.want)
		}
	}
}

// TestWritingKeepsSecrets: the credentials go along, and into no error.
func TestWritingKeepsSecrets(t *testing.T) {
	const secret = "geheimnis"
	for _, status := range []int{401, 403, 409, 423, 500, 507} {
		seen := map[string]bool{}
		inner := serve(t, func(w http.ResponseWriter, r *http.Request) {
			if r.Header.Get("Authorization") != "Bearer "+secret {
				t.Errorf("%s without credentials", r.Method)
			}
			switch {
			case r.Method != "PROPFIND":
				seen[r.Method] = true
				w.WriteHeader(status)
				io.WriteString(w, r.Header.Get("Authorization"))
			case strings.Contains(r.URL.Path, "new"):
				w.WriteHeader(http.StatusNotFound)
			default:
				multi(w, response(r.URL.Path, dir))
			}
		})
		e := open(t, &Config{Config: webclient.Config{
			URL: strings.TrimSuffix(inner.client.URL("/", true), "/"), Credentials: webclient.Credentials{Bearer: secret},
		}}, plugins.Env{Timeout: 5 * time.Second})
		_, stored := e.Store(t.Context(), "/new", strings.NewReader("x"), plugins.Upload{Size: 1})
		for op, err := range map[string]error{
			"store": stored, "remove": e.Remove(t.Context(), "/f"), "mkdir": e.MakeDirectory(t.Context(), "/new"), "move": e.Move(t.Context(), "/f", "/new", true),
			"copy": e.Copy(t.Context(), "/new", plugins.ThirdParty{Mode: plugins.Pull, URL: "http://other.example/x"}),
		} {
			if err == nil || strings.Contains(err.Error(), secret) {
				t.Errorf("%d, %s: %v", status, op, err)
			}
		}
		for _, method := range []string{"PUT", "DELETE", "MKCOL", "MOVE", "COPY"} {
			if !seen[method] {
				t.Errorf("%d: no %s", status, method)
			}
		}
	}
}
