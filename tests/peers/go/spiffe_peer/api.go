package main

import (
	"context"
	"encoding/hex"
	"fmt"
	"sort"

	"github.com/spiffe/go-spiffe/v2/bundle/jwtbundle"
	"github.com/spiffe/go-spiffe/v2/bundle/x509bundle"
	"github.com/spiffe/go-spiffe/v2/exp/svid/witsvid"
	"github.com/spiffe/go-spiffe/v2/spiffeid"
	"github.com/spiffe/go-spiffe/v2/svid/jwtsvid"
	"github.com/spiffe/go-spiffe/v2/svid/x509svid"
	"github.com/spiffe/go-spiffe/v2/workloadapi"
)

// A workload: the sources are opened when a command first needs them, and stay.
type workload struct {
	ctx    context.Context
	client *workloadapi.Client
	x509   *workloadapi.X509Source
	jwt    *workloadapi.JWTSource
}

// Commands, one a line:
//
//	x509                 the SVID and bundles that X509Source has now
//	wait                 the same, after its next update
//	jwt AUD...           a JWT-SVID from JWTSource, which it then validates for the first audience
//	as ID AUD            the same for that one of the workload's identities
//	check TOKEN AUD      validates with the bundles of JWTSource
//	remote TOKEN AUD     has the Workload API validate
//	bundles              X.509 and JWT bundles
//	wit                  WIT-SVIDs, validated with the WIT bundles
//	watch                WatchX509Context and WatchJWTBundles: a line for everything that comes from now on
func api(ctx context.Context, words []string) error {
	client, err := workloadapi.New(ctx, workloadapi.WithAddr(words[0]))
	if err != nil {
		return err
	}
	w := &workload{ctx: ctx, client: client}
	say(fields{"ready": true})
	eachLine(func(words []string) fields {
		answer, err := w.do(words)
		if err != nil {
			return failed(err)
		}
		return answer
	})
	return nil
}

func (w *workload) do(words []string) (fields, error) {
	ctx, cancel := context.WithTimeout(w.ctx, patience)
	defer cancel()
	switch words[0] {
	case "x509":
		return w.svid(ctx)
	case "wait":
		if err := w.x509.WaitUntilUpdated(ctx); err != nil {
			return nil, err
		}
		return w.svid(ctx)
	case "jwt":
		return w.fetchJWT(ctx, jwtsvid.Params{Audience: words[1], ExtraAudiences: words[2:]})
	case "as":
		return w.fetchJWT(ctx, jwtsvid.Params{Audience: words[2], Subject: spiffeid.RequireFromString(words[1])})
	case "check":
		if err := w.openJWT(ctx); err != nil {
			return nil, err
		}
		return token(jwtsvid.ParseAndValidate(words[1], w.jwt, words[2:]))
	case "remote":
		return token(w.client.ValidateJWTSVID(ctx, words[1], words[2]))
	case "bundles":
		return w.bundles(ctx)
	case "wit":
		return w.wit(ctx)
	case "watch":
		go func() {
			say(fields{"watch": "x509 over", "why": fmt.Sprint(w.client.WatchX509Context(w.ctx, watcher{}))})
		}()
		go func() {
			say(fields{"watch": "jwt over", "why": fmt.Sprint(w.client.WatchJWTBundles(w.ctx, watcher{}))})
		}()
		return fields{"watching": true}, nil
	}
	return nil, fmt.Errorf("no such command: %s", words[0])
}

func (w *workload) openJWT(ctx context.Context) (err error) {
	if w.jwt == nil {
		w.jwt, err = workloadapi.NewJWTSource(ctx, workloadapi.WithClient(w.client))
	}
	return err
}

// --- X.509 ---------------------------------------------------------------------------------------------

func (w *workload) svid(ctx context.Context) (fields, error) {
	if w.x509 == nil {
		source, err := workloadapi.NewX509Source(ctx, workloadapi.WithClient(w.client))
		if err != nil {
			return nil, err
		}
		w.x509 = source
	}
	svid, err := w.x509.GetX509SVID()
	if err != nil {
		return nil, err
	}
	if _, _, err := x509svid.Verify(svid.Certificates, w.x509); err != nil {
		return nil, fmt.Errorf("the SVID does not verify against its bundle: %w", err)
	}
	return certificates(svid), nil
}

func certificates(svid *x509svid.SVID) fields {
	chain, key, err := svid.Marshal()
	if err != nil {
		return failed(err)
	}
	return fields{"id": svid.ID.String(), "hint": svid.Hint, "chain": string(chain), "key": string(key),
		"serial": hex.EncodeToString(svid.Certificates[0].SerialNumber.Bytes()), "not_after": svid.Certificates[0].NotAfter.Unix()}
}

func authorities(set *x509bundle.Set) fields {
	all := fields{}
	for _, bundle := range set.Bundles() {
		pem, err := bundle.Marshal()
		if err != nil {
			return failed(err)
		}
		all[bundle.TrustDomain().IDString()] = string(pem)
	}
	return all
}

func keyIDs(set *jwtbundle.Set) fields {
	all := fields{}
	for _, bundle := range set.Bundles() {
		kids := []string{}
		for kid := range bundle.JWTAuthorities() {
			kids = append(kids, kid)
		}
		sort.Strings(kids)
		all[bundle.TrustDomain().IDString()] = kids
	}
	return all
}

func (w *workload) bundles(ctx context.Context) (fields, error) {
	x509, err := w.client.FetchX509Bundles(ctx)
	if err != nil {
		return nil, err
	}
	jwt, err := w.client.FetchJWTBundles(ctx)
	if err != nil {
		return nil, err
	}
	return fields{"x509": authorities(x509), "jwt": keyIDs(jwt)}, nil
}

type watcher struct{}

func (watcher) OnX509ContextUpdate(now *workloadapi.X509Context) {
	said := certificates(now.DefaultSVID())
	said["watch"] = "x509"
	said["bundles"] = authorities(now.Bundles)
	say(said)
}

func (watcher) OnX509ContextWatchError(err error) {
	said := failed(err)
	said["watch"] = "x509"
	say(said)
}

func (watcher) OnJWTBundlesUpdate(now *jwtbundle.Set) {
	say(fields{"watch": "jwt", "kids": keyIDs(now)})
}

func (watcher) OnJWTBundlesWatchError(err error) {
	said := failed(err)
	said["watch"] = "jwt"
	say(said)
}

// --- tokens --------------------------------------------------------------------------------------------

func token(svid *jwtsvid.SVID, err error) (fields, error) {
	if err != nil {
		return nil, err
	}
	return fields{"id": svid.ID.String(), "aud": svid.Audience, "exp": svid.Expiry.Unix(), "hint": svid.Hint,
		"token": svid.Marshal(), "claims": svid.Claims}, nil
}

func (w *workload) fetchJWT(ctx context.Context, params jwtsvid.Params) (fields, error) {
	if err := w.openJWT(ctx); err != nil {
		return nil, err
	}
	svid, err := w.jwt.FetchJWTSVID(ctx, params)
	if err != nil {
		return nil, err
	}
	return token(jwtsvid.ParseAndValidate(svid.Marshal(), w.jwt, []string{params.Audience}))
}

func (w *workload) wit(ctx context.Context) (fields, error) {
	svids, err := w.client.FetchWITSVIDs(ctx, "")
	if err != nil {
		return nil, err
	}
	bundles, err := w.client.FetchWITBundles(ctx)
	if err != nil {
		return nil, err
	}
	all := []fields{}
	for _, svid := range svids {
		if _, err := witsvid.ParseAndValidate(svid.Marshal(), bundles); err != nil {
			return nil, err
		}
		all = append(all, fields{"id": svid.ID.String(), "token": svid.Marshal(), "exp": svid.Expiry.Unix(), "kid": svid.KeyID,
			"key": svid.PrivateKey != nil})
	}
	return fields{"svids": all}, nil
}
