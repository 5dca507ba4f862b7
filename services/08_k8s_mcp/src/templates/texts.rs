//! The texts: templates and notes.

use super::Name;

/// A manifest to begin with.
pub(super) struct Template {
    pub(super) name: Name,
    pub(super) kind: &'static str,
    pub(super) description: &'static str,
    pub(super) yaml: &'static str,
}

/// A note.
pub(super) struct Page {
    pub(super) title: &'static str,
    pub(super) kind: &'static str,
    pub(super) text: &'static str,
}

pub(super) const TEMPLATES: &[Template] = &[
    Template {
        name: Name::Deployment,
        kind: "Deployment",
        description: "Pods of one image, replaced one after the other when it changes",
        yaml: include_str!("deployment.yaml"),
    },
    Template {
        name: Name::Service,
        kind: "Service",
        description: "One address inside of the cluster for the pods with a label",
        yaml: include_str!("service.yaml"),
    },
    Template {
        name: Name::Configmap,
        kind: "ConfigMap",
        description: "Settings that are no secrets",
        yaml: include_str!("configmap.yaml"),
    },
    Template {
        name: Name::Secret,
        kind: "Secret",
        description: "Settings that are secrets; put the values in when it is applied",
        yaml: include_str!("secret.yaml"),
    },
    Template {
        name: Name::Ingress,
        kind: "Ingress",
        description: "A host name from outside, with TLS, for a service",
        yaml: include_str!("ingress.yaml"),
    },
    Template {
        name: Name::Persistentvolumeclaim,
        kind: "PersistentVolumeClaim",
        description: "A disk that outlives the pods that use it",
        yaml: include_str!("persistentvolumeclaim.yaml"),
    },
];

pub(super) const PAGES: &[Page] = &[
    Page {
        title: "Deployments and rolling updates",
        kind: "Deployment",
        text: "A Deployment keeps a number of equal pods alive. A change of spec.template starts new \
               pods and ends the old ones step by step; maxSurge and maxUnavailable of \
               strategy.rollingUpdate say how many may be more or fewer meanwhile.",
    },
    Page {
        title: "Scaling a deployment",
        kind: "Deployment",
        text: "spec.replicas is the number of pods. Set it with scaleDeployment; 0 stops the work and \
               keeps the settings. Leave it out of the manifest when an autoscaler sets it.",
    },
    Page {
        title: "Readiness and liveness probes",
        kind: "Pod",
        text: "A pod gets requests while its readinessProbe succeeds; a container is started again when \
               its livenessProbe fails. Give slow starters a startupProbe instead of a long delay.",
    },
    Page {
        title: "Requests, limits and eviction",
        kind: "Pod",
        text: "resources.requests reserve room on a node, resources.limits are the most a container may \
               use. Above the memory limit it is killed (OOMKilled); above the CPU limit it is slowed.",
    },
    Page {
        title: "Why a pod does not start",
        kind: "Pod",
        text: "Pending: no node has room or a claim is not bound. ImagePullBackOff: the image or its \
               credentials are wrong. CrashLoopBackOff: the program ends; read the log of the previous \
               run. CreateContainerConfigError: a ConfigMap or Secret is missing.",
    },
    Page {
        title: "Logs of a container that ended",
        kind: "Pod",
        text: "getPodLogs with previous=true gives the log of the run before the last start; tail limits \
               it to the end, since_seconds to the last seconds, follow waits for further lines.",
    },
    Page {
        title: "Services find pods by labels",
        kind: "Service",
        text: "spec.selector has to equal labels of the pods; targetPort is the port in the container. A \
               Service without ready pods has no endpoints and refuses connections.",
    },
    Page {
        title: "Ingress and TLS",
        kind: "Ingress",
        text: "An Ingress maps host and path to a Service; an ingress controller has to run in the \
               cluster, named by ingressClassName. tls.secretName is a Secret of type kubernetes.io/tls.",
    },
    Page {
        title: "ConfigMaps as variables and files",
        kind: "ConfigMap",
        text: "envFrom takes all keys as variables, which are read once at the start; a volume gives them \
               as files, which follow changes after a while.",
    },
    Page {
        title: "Secrets are encoded, not encrypted",
        kind: "Secret",
        text: "Values under data are base64; stringData takes them as they are. Who may read a Secret \
               knows its values, so grant get and list on secrets sparingly.",
    },
    Page {
        title: "Persistent volumes and claims",
        kind: "PersistentVolumeClaim",
        text: "A claim asks for storage of a class; with WaitForFirstConsumer it is Pending until a pod \
               uses it. ReadWriteOnce is for one node. Deleting the claim may delete the data.",
    },
    Page {
        title: "Namespaces",
        kind: "Namespace",
        text: "A Namespace separates names, rights and quotas. Deleting one deletes everything in it.",
    },
    Page {
        title: "Server-side apply and conflicts",
        kind: "Deployment",
        text: "applyManifest sends a manifest by server-side apply as field manager waygate. A field that \
               somebody else set is a conflict unless force is given. dry_run shows what would change.",
    },
];
