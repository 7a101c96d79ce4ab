package frontend

import (
	"strings"
	"testing"

	"canopy/frontend/transfer"
	parties "canopy/frontend/transfer/guard"
	"canopy/plugins/plugintest/mem"
)

// transfers is an agent that reaches nobody: all that is carried is refused,
// because the other party is on this machine.
func transfers(t testing.TB) *transfer.Agent {
	t.Helper()
	c, err := parties.New(parties.Options{Agent: "canopy/test"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return transfer.New(c, transfer.Options{})
}

const (
	source      = "Source: http://127.0.0.1:1/f"
	destination = "Destination: http://127.0.0.1:1/f"
	gfal2       = "User-Agent: gfal2-util/1.8.0 gfal2/2.21.3 neon/0.0.29"
	// carried is how what Canopy carries ends here.
	carried = 403
)

func TestThirdPartyRedirects(t *testing.T) {
	geneva := newSite(t, "geneva", nil).put("/d/f", "0123456789", mem.File{}).writable()
	oslo := newSite(t, "oslo", nil).put("/d/f", "0123456789", mem.File{}).put("/d/here", "0", mem.File{}).put("/d/e/g", "1", mem.File{}).writable()
	w := buildWriting(t, Options{Transfers: transfers(t)}, geneva, oslo)

	w.ask("COPY", "/d/new", gfal2, source).status(t, 307).has(t, "Location: http://geneva.example/data/d/new", "Cache-Control: no-store")
	w.ask("COPY", "/d/new", "User-Agent: libdavix/0.8.4 neon/0.0.29", source).status(t, 307)
	w.ask("COPY", "/d/here", gfal2, source).status(t, 307).has(t, "Location: http://oslo.example/data/d/here")
	w.ask("COPY", "/d/e/new", gfal2, source).status(t, 307).has(t, "Location: http://geneva.example/data/d/e/new")
	if geneva.content("/d/e") != "-" || w.ask("PROPFIND", "/d/e/", "Depth: 1").StatusCode != 207 {
		t.Error("the directory is not there")
	}
	w.ask("COPY", "/none/new", gfal2, source).status(t, 409)
	w.ask("COPY", "/d/here", gfal2, source, "Overwrite: F").status(t, 412)
	w.ask("COPY", "/d/e", gfal2, source).status(t, 405)
	w.ask("COPY", "/d/new", gfal2, "Source: ftp://other.example/f").status(t, 400)
	// Its other copy is to go when the new one is whole, which only Canopy knows
	// that moves the bytes.
	w.ask("COPY", "/d/f", gfal2, source).status(t, carried)

	w.ask("COPY", "/d/f", gfal2, destination).status(t, 307).has(t, "Location: http://geneva.example/data/d/f")
	w.ask("COPY", "/d/here", gfal2, destination).status(t, 307).has(t, "Location: http://oslo.example/data/d/here")
	w.ask("COPY", "/d/none", gfal2, destination).status(t, 404)
	w.ask("COPY", "/d/e", gfal2, destination).status(t, 400)

	// Not everybody can be sent there.
	for _, agent := range []string{"curl/7.88.1", "Go-http-client/1.1", ""} {
		w.ask("COPY", "/d/new", "User-Agent: "+agent, source).status(t, carried)
		w.ask("COPY", "/d/f", "User-Agent: "+agent, destination).status(t, carried)
	}
}

// TestThirdPartyInTheClear: who comes by https is not sent elsewhere by http with
// a credential for others.
func TestThirdPartyInTheClear(t *testing.T) {
	w := buildWriting(t, Options{Transfers: transfers(t)}, newSite(t, "geneva", nil).put("/f", "0", mem.File{}).writable())
	for target, want := range map[string]int{"https://front.example": carried, "http://front.example": 307} {
		w.ask("COPY", target+"/new", gfal2, source, "TransferHeaderAuthorization: Bearer secret").status(t, want)
		w.ask("COPY", target+"/f", gfal2, destination, "TransferHeaderAuthorization: Bearer secret").status(t, want)
	}
}

// TestThirdPartyOfSome: endpoints that cannot be asked for copies, or not by
// clients, are passed over.
func TestThirdPartyOfSome(t *testing.T) {
	bern := newSite(t, "bern", nil, "third-party").put("/f", "0", mem.File{}).writable()
	geneva := newSite(t, "geneva", nil).put("/f", "0", mem.File{}).writable().carried()
	oslo := newSite(t, "oslo", nil).put("/f", "0", mem.File{}).writable()
	all := buildWriting(t, Options{Transfers: transfers(t)}, bern, geneva, oslo)
	all.ask("GET", "/f?replicas").status(t, 200) // waits for all
	all.ask("COPY", "/f", gfal2, destination).status(t, 307).has(t, "Location: http://oslo.example/data/f")
	all.ask("COPY", "/new", gfal2, source).status(t, carried)
	for _, s := range []*site{bern, geneva} {
		w := buildWriting(t, Options{Transfers: transfers(t)}, s)
		w.ask("COPY", "/f", gfal2, destination).status(t, carried)
		w.ask("COPY", "/new", gfal2, source).status(t, carried)
	}
	none := buildWriting(t, Options{}, oslo)
	if a := none.ask("COPY", "/f", gfal2, destination).status(t, 501); !strings.Contains(a.body, "other servers") {
		t.Error(a.body)
	}
}
